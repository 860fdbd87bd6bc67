"""What latencies are learned by: the type of a test and the kinds of its agents. Pure.

Agents of the vendor's cloud and those at a customer's site take differently long for the same test. A cluster
is one of the latter. Who is not known (an agent that the run has no record of) does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.model import AgentType, Spec
from orchestrator.schedule.latency import LatencyModel, prior

_SITE = {AgentType.CLOUD: "cloud", AgentType.ENTERPRISE: "enterprise", AgentType.CLUSTER: "enterprise"}


class Kinds:
    """The kind of each test, by the types of the ``agents``."""

    def __init__(self, agents: Mapping[str, AgentType] | None = None) -> None:
        self._sites = {agent: _SITE[kind] for agent, kind in (agents or {}).items()}

    def of(self, spec: Spec) -> str:
        """For example ``http-server enterprise``, or of agents of both kinds ``voice cloud+enterprise``."""
        sites = sorted({self._sites[agent] for agent in spec.agents if agent in self._sites})
        return f"{spec.type} {'+'.join(sites)}" if sites else spec.type


class Latencies(dict[str, LatencyModel]):
    """A model for each kind of test, made when it is first asked for.

    ``learned`` are samples of earlier runs by kind. What was learned of a type before kinds were told apart
    stands for each of its kinds until that has samples of its own.
    """

    def __init__(self, learned: Mapping[str, Iterable[float]] | None = None) -> None:
        super().__init__()
        self._learned = dict(learned or {})

    def __missing__(self, kind: str) -> LatencyModel:
        test_type = kind.partition(" ")[0]
        samples = self._learned.get(kind) or self._learned.get(test_type, ())
        model = self[kind] = LatencyModel(prior(test_type), samples)
        return model

    def dump(self) -> dict[str, list[float]]:
        """The samples by kind, of those that have any; for the next run."""
        return {kind: model.dump() for kind, model in self.items() if len(model)}
