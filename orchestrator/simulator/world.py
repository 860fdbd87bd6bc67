"""The tests that exist, their rounds, and which rows have arrived by a given time."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from orchestrator.simulator.catalog import Definition
from orchestrator.simulator.draws import exponential, lognormal, number, share
from orchestrator.simulator.fleet import SimAgent, fleet
from orchestrator.simulator.messages import JsonObject, Refusal
from orchestrator.simulator.results import is_reached, measure, trouble_of
from orchestrator.simulator.scene import Measured, Scene
from orchestrator.simulator.settings import Settings
from orchestrator.simulator.traces import detailed

# Test ids of the product are large: they do not fit into 32 bits.
_FIRST_TEST = 281_474_976_710_656


@dataclass(frozen=True, slots=True)
class Row:
    """One row of one layer with all that a version needs to show it. ``date`` is epoch seconds."""

    layer: str
    agent: SimAgent
    round_id: int
    date: int
    measured: Measured
    direction: str | None = None
    round_number: int = 1


@dataclass(slots=True)
class Round:
    """One execution of a test. ``arrivals`` says by layer when each agent's rows come, soonest first."""

    number: int
    id: int
    started: float
    arrivals: dict[str, list[tuple[float, SimAgent]]] = field(default_factory=dict)


@dataclass(slots=True)
class SimTest:
    """A created test.

    ``looks`` counts the reads of it, for faults that depend on them; ``visit`` is how many tests of the same
    subject were created before it.
    """

    id: int
    definition: Definition
    created: float
    rounds: list[Round] = field(default_factory=list)
    looks: int = 0
    visit: int = 0


@dataclass(frozen=True, slots=True)
class Further:
    """Where an agent gives several rows in a layer, each comes ``seconds`` after the one before (a fault).

    ``layer``, ``type`` and ``agent`` narrow it; None is any. Infinite seconds: only the first ever comes.
    """

    seconds: float
    layer: str | None = None
    type: str | None = None
    agent: int | None = None

    def hits(self, layer: str, type_name: str, agent: SimAgent) -> bool:
        return (
            self.layer in {None, layer} and self.type in {None, type_name} and self.agent in {None, agent.id}
        )


@dataclass(frozen=True, slots=True)
class Silence:
    """What will never come: agents, or layers of test types, by lot or by name (faults).

    ``further`` is about all but the first of an agent's rows in a layer; with ``split`` a measurement of the
    network in both directions gives a row for each.
    """

    agents: frozenset[int] = frozenset()
    layers: tuple[tuple[str | None, str | None], ...] = ()  # (layer, type); None is any
    agent_shares: tuple[float, ...] = ()
    further: tuple[Further, ...] = ()
    split: bool = False

    def between(self, layer: str, type_name: str, agent: SimAgent) -> float:
        """Seconds from one row of an agent to its next."""
        return sum(one.seconds for one in self.further if one.hits(layer, type_name, agent))

    def of_layer(self, layer: str, type_name: str) -> bool:
        return any(
            (wanted is None or wanted == layer) and (kind is None or kind == type_name)
            for wanted, kind in self.layers
        )

    def of_agent(self, seed: int, agent: SimAgent) -> bool:
        return agent.id in self.agents or any(
            share(seed, "silent agent", index, agent.id) < lot for index, lot in enumerate(self.agent_shares)
        )


class World:
    """Agents and tests. Time is always an argument, in simulated epoch seconds."""

    def __init__(self, settings: Settings, silence: Silence) -> None:
        self.settings = settings
        self._silence = silence
        self.agents = {agent.id: agent for agent in fleet(settings)}
        self.tests: dict[int, SimTest] = {}
        self._began: float | None = None
        self._visits: Counter[tuple[str, ...]] = Counter()

    def create(self, definition: Definition, now: float) -> SimTest:
        """Begin a test; its first round starts at once."""
        if self._began is None:
            self._began = now
        same = (definition.type, *definition.subject)
        test = SimTest(_FIRST_TEST + len(self.tests) + 1, definition, now, visit=self._visits[same])
        self._visits[same] += 1
        self.tests[test.id] = test
        self._begin_round(test, now)
        return test

    def rerun(self, test_id: str, now: float) -> SimTest:
        """Add a round to a test; raises a 404 refusal if there is no such test."""
        test = self.test(test_id)
        self._begin_round(test, now)
        return test

    def test(self, test_id: str) -> SimTest:
        """The test with this id; raises a 404 refusal."""
        found = self.tests.get(_number(test_id))
        if found is None:
            raise Refusal(404, f"Test {test_id[:40]} was not found")
        return found

    def agent(self, agent_id: str) -> SimAgent:
        """The agent with this id; raises a 404 refusal."""
        found = self.agents.get(_number(agent_id))
        if found is None:
            raise Refusal(404, f"Agent {agent_id[:40]} was not found")
        return found

    def rows(
        self,
        test: SimTest,
        layer: str,
        now: float,
        *,
        span: tuple[float, float] | None = None,
        direction: str | None = None,
    ) -> list[Row]:
        """The rows that have arrived: of the newest round that has any, or of all rounds in ``span``."""
        # The id of a round that follows another within one second lies in the future; its start does not.
        rounds = [r for r in test.rounds if span is None or (span[0] <= r.id and r.started <= span[1])]
        found: list[Row] = []
        for executed in reversed(rounds):
            rows = self._arrived(test, executed, layer, now, direction)
            if span is None and rows:
                return rows
            found = rows + found
        return found

    def rows_of_round(self, test: SimTest, executed: Round, layer: str, now: float) -> list[Row]:
        """The rows of one round that have arrived."""
        return self._arrived(test, executed, layer, now, None)

    def scene(self, test: SimTest, agent: SimAgent, round_number: int) -> Scene:
        """One agent's look in one round."""
        definition = test.definition
        target = self.agents.get(definition.target_agent) if definition.target_agent is not None else None
        since = test.rounds[round_number - 1].started - (self._began or 0.0)
        return Scene(self.settings, definition, agent, target, round_number, since=since, visit=test.visit)

    def paths(self, test: SimTest, row: Row) -> list[tuple[str, list[JsonObject]]]:
        """The id and the hops of each trace of a row; none where the name could not be resolved."""
        if not row.measured.metrics.get("pathTraces"):
            return []
        # Where agents share no hops, the ways of every round are those of the first.
        scene = self.scene(test, row.agent, row.round_number if self.settings.shared else 1)
        if test.definition.dns_servers and row.measured.server is not None and self.settings.shared:
            scene = scene.at(row.measured.server.removesuffix(":53"))
        return detailed(scene, reached=is_reached(scene, trouble_of(scene)))

    def round_of(self, test: SimTest, agent: SimAgent, round_id: str) -> Round | None:
        """The round that this agent knows by this id."""
        for executed in test.rounds:
            if str(self._round_id(executed, agent)) == round_id:
                return executed
        return None

    def complete_at(self, test: SimTest, layer: str, round_number: int) -> float | None:
        """When the last row of a layer arrives; None if none ever does."""
        last = None
        for at, agent in self.arrivals(test, test.rounds[round_number - 1], layer):
            several = max(len(test.definition.dns_servers), len(self._directions(test, layer, None)))
            between = self._silence.between(layer, test.definition.type, agent) if several > 1 else 0.0
            latest = at if math.isinf(between) else at + between * (several - 1)
            last = max(latest, last or latest)
        return last

    def _begin_round(self, test: SimTest, now: float) -> None:
        # Two rounds never share an id, even when they begin within one second.
        earliest = test.rounds[-1].id + 1 if test.rounds else 0
        test.rounds.append(Round(len(test.rounds) + 1, max(int(now), earliest), now))

    def _round_id(self, executed: Round, agent: SimAgent) -> int:
        if self.settings.shared_rounds:
            return executed.id
        return executed.id + number(self.settings.seed, "round", executed.id, agent.id) % 4

    def _arrived(
        self, test: SimTest, executed: Round, layer: str, now: float, direction: str | None
    ) -> list[Row]:
        found: list[Row] = []
        for at, agent in self.arrivals(test, executed, layer):
            if at > now:
                continue
            between = self._silence.between(layer, test.definition.type, agent)
            measured = (
                (asked, one)
                for asked in self._directions(test, layer, direction)
                for one in measure(self.scene(test, agent, executed.number), layer, asked)
            )
            for position, (asked, one) in enumerate(measured):
                if position and at + position * between > now:
                    break
                started = self._round_id(executed, agent)
                dated = started + agent.id % 5 + 1
                found.append(Row(layer, agent, started, dated, one, asked, executed.number))
        return found

    def _directions(self, test: SimTest, layer: str, direction: str | None) -> tuple[str | None, ...]:
        """Those that an agent gives rows for: two for the paths of both directions, one for their network."""
        asked = direction or test.definition.direction
        split = layer == "path-vis" or (layer == "network" and self._silence.split)
        return ("to-target", "from-target") if asked == "bidirectional" and split else (asked,)

    def arrivals(self, test: SimTest, executed: Round, layer: str) -> list[tuple[float, SimAgent]]:
        """When each agent's first row of a layer comes, soonest first; without those who never answer."""
        known = executed.arrivals.get(layer)
        if known is None:
            known = executed.arrivals[layer] = self._plan_arrivals(test, executed, layer)
        return known

    def _plan_arrivals(self, test: SimTest, executed: Round, layer: str) -> list[tuple[float, SimAgent]]:
        """The last agent needs the drawn time, the others up to ``spread`` less."""
        settings, definition = self.settings, test.definition
        if layer not in definition.layers or self._silence.of_layer(layer, definition.type):
            return []
        agents = [
            agent
            for agent in (self.agents[agent_id] for agent_id in definition.agent_ids)
            if agent.answers
            and not self._silence.of_agent(settings.seed, agent)
            and not self.scene(test, agent, executed.number).silenced
        ]
        words = (definition.type, *definition.subject, executed.number)
        drawn = lognormal(settings.seed, settings.medians[definition.type], settings.sigma, "latency", *words)
        base = min(settings.longest, max(settings.shortest, drawn)) * settings.latency
        extra = exponential(settings.seed, settings.layer_extra, "layer", layer, *words) * settings.latency
        lots = {agent.id: share(settings.seed, "agent", agent.id, *words) for agent in agents}
        least = min(lots.values(), default=0.0)
        return sorted(
            (
                (executed.started + base * (1.0 - settings.spread * (lots[agent.id] - least)) + extra, agent)
                for agent in agents
            ),
            key=lambda arrival: (arrival[0], arrival[1].id),
        )


def _number(text: str) -> int:
    """The id that a path names; -1, which nothing has, for anything else."""
    return int(text) if len(text) < 19 and text.isascii() and text.isdigit() else -1
