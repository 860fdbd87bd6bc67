"""Observed cells for the tests of the whole engine, as a run leaves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from builders import make_answer, make_spec
from insight_worlds import FLEET

from orchestrator.insight.look import Insight, look
from orchestrator.insight.values import Observed, Trouble
from orchestrator.insight.words import Names
from orchestrator.model import Agent, Answer, AnswerStatus, CellState, Hop, Metric, Path, Verdict
from orchestrator.records import CellRecord, Paths
from orchestrator.testtypes.layers import DETAILS

ALIVE: Mapping[str, Metric] = {"responseCode": 200.0, "totalTime": 120.0, "waitTime": 40.0}
CLEAN: Mapping[str, Metric] = {"loss": 0.0, "avgLatency": 20.0}
NAMES = Names(agents={agent.id: agent.name for agent in FLEET})


def row(layer: str, agent: Agent, metrics: Mapping[str, Metric], **changes: object) -> Answer:
    """A row that measured something, or an error where ``error`` is given."""
    status = AnswerStatus.ERROR if changes.get("error") else AnswerStatus.OK
    return make_answer(layer, agent.id, metrics=metrics, status=status, **changes)


def hops(*addresses: str) -> Answer:
    """The hop details of a cell: one trace, its first hop the agent's own way out."""
    found = [Hop(1, "192.0.2.1"), *(Hop(n, one, rdns=f"r-{one}") for n, one in enumerate(addresses, 2))]
    return make_answer(DETAILS, metrics={"pathTraces": 1}, paths=(Path("p", tuple(found)),))


@dataclass(frozen=True)
class How:
    """How a cell came out: its verdict, its rows (else healthy ones), what is wrong, earlier hops."""

    verdict: Verdict | None = Verdict.PASS
    rows: tuple[Answer, ...] | None = None
    troubles: tuple[Trouble, ...] = ()
    silence: str | None = None
    earlier: tuple[tuple[Hop, ...], ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)


PASSES = How()
SILENT = How(Verdict.NO_ANSWER, rows=())
NOT_RUN = How(Verdict.NOT_RUN, rows=())


def refused(text: str = "Connect: connection refused") -> How:
    """A cell whose connection is refused."""
    return fails(Trouble("http-server", text, error_type="connect"))


def expired(text: str = "certificate has expired") -> How:
    """A cell that sees an expired certificate over a clean network."""
    agent = FLEET[0]
    rows = (row("http-server", agent, {}, error=text, error_type="ssl"), row("network", agent, CLEAN))
    return How(Verdict.FAIL, rows, (Trouble("http-server", text, error_type="ssl"),))


def fails(*troubles: Trouble, rows: tuple[Answer, ...] | None = None) -> How:
    """A cell that fails of these."""
    return How(Verdict.FAIL, rows if rows is not None else (), troubles)


def observed(agent: Agent, target: str, how: How = PASSES, *, test: str = "web") -> Observed:
    """A cell of an HTTP test of ``target``, a host."""
    rows = how.rows
    if rows is None:
        rows = (row("http-server", agent, ALIVE), row("network", agent, CLEAN))
    state = CellState.MISSING if how.verdict is Verdict.NO_ANSWER else CellState.ANSWERED
    key = f"{test}-{target}"
    spec = make_spec(
        key, test=test, target=target, fields={"url": f"https://{target}/"}, layers=("http-server", "network")
    )
    record = CellRecord(
        key, test, "http-server", target, agent.id, agent.name, agent.country, state, how.verdict
    )
    return Observed(record, spec, rows, how.troubles, agent, how.earlier, how.silence)


def looked(cells: Iterable[Observed], names: Names = NAMES, paths: Paths | None = None) -> Insight:
    """What the engine says of them."""
    return look("run", cells, names, paths or Paths())
