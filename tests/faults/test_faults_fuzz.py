"""Whatever the API answers, a run ends with records and an exit code, never with a traceback."""

from __future__ import annotations

import copy
import io
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from fault_cases import PLAN
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated_run import Ran, Simulated, check_sums, in_process
from virtual_time import run_virtual

from orchestrator.actions.reading import summed_up
from orchestrator.errors import OrchestratorError
from orchestrator.report.explain import explanation, steps
from orchestrator.report.junit import write_junit
from orchestrator.report.markdown import ticket
from orchestrator.report.results import write_csv, write_jsonl
from orchestrator.simulator.settings import Settings as World
from orchestrator.terminal.console import make_console
from orchestrator.terminal.results import write_table
from orchestrator.terminal.summary import print_summary
from orchestrator.thousandeyes.protocol import Reply, Request, Transport

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["", "0", "-1", "1e400", "NaN", "99999999999999999999", "\x00", "\ud800", "3", "v7"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
HEADERS = st.sampled_from(
    [
        *("date", "location", "retry-after", "content-type", "x-organization-rate-limit-limit"),
        *("x-organization-rate-limit-remaining", "x-organization-rate-limit-reset"),
        *("x-instant-test-rate-limit-limit", "x-instant-test-rate-limit-remaining"),
        "x-instant-test-rate-limit-reset",
    ]
)
HEADER_TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20) | st.sampled_from(
    ["0", "-1", "1e9", "99999999999", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "inf"]
)


class Lying:
    """A transport whose answers are changed by lot: bodies bent or replaced, headers and statuses too."""

    def __init__(self, inner: Transport, lot: Random, lies: Lies) -> None:
        self._inner, self._lot, self._lies = inner, lot, lies

    async def send(self, request: Request) -> Reply:
        reply = await self._inner.send(request)
        if self._lot.random() >= self._lies.rate:
            return reply
        kind = self._lot.choice(("bend", "bend", "bend", "body", "raw", "header", "status"))
        if kind == "header":
            return replace(reply, headers={**reply.headers, **self._lies.headers})
        if kind == "status":
            return replace(
                reply, status=self._lot.choice((200, 204, 206, 300, 302, 304, 400, 409, 418, 500, 599))
            )
        return replace(reply, body=self._body(kind, reply.body))

    def _body(self, kind: str, body: bytes) -> bytes:
        if kind == "raw":
            return self._lies.raw
        value = self._lot.choice(self._lies.values)
        if kind == "body" or not body:
            return json.dumps(value).encode()
        told = json.loads(body)
        for _ in range(self._lot.randrange(1, 6)):
            told = self._bent(told)
        return json.dumps(told).encode()

    def _bent(self, node: Any) -> Any:
        """The same with one place changed: a value replaced, left out, or doubled."""
        value = copy.deepcopy(self._lot.choice(self._lies.values))
        if not isinstance(node, dict | list) or not node or self._lot.random() < 0.08:
            return value
        key: Any = (
            self._lot.choice(sorted(node)) if isinstance(node, dict) else self._lot.randrange(len(node))
        )
        act = self._lot.random()
        if act < 0.15:
            del node[key]
        elif act < 0.25 and isinstance(node, list):
            node.append(copy.deepcopy(node[key]))
        else:
            node[key] = self._bent(node[key])
        return node


class Lies:
    """What the lies are made of."""

    def __init__(self, values: list[Any], headers: dict[str, str], raw: bytes, rate: float) -> None:
        self.values, self.headers, self.raw, self.rate = values, headers, raw, rate


async def everything_shown(simulated: Simulated, ran: Ran) -> None:
    """Each way to look at a run; none may fail, whatever is stored."""
    store, run, out = simulated.session.doors.store, ran.outcome.run, io.StringIO()

    def rows() -> Any:
        return store.results(run.id)

    await write_jsonl(run.id, rows, out.write)
    await write_csv(run.id, rows, out.write)
    await write_table(rows, out.write)
    await write_junit(run, lambda: store.cells(run.id), out.write)
    found = (await summed_up(store, run, now=run.started)).overview
    print_summary(make_console(out), found, verbose=True)
    out.write(ticket(found))
    for test in ran.tests:
        events = await store.events(run.id, test.spec.key)
        steps(run, test, events)
        list(explanation(run, test, events, ran.cells))
    assert out.getvalue()


@settings(
    max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
@given(
    seed=st.integers(0, 2**32),
    values=st.lists(JSON, min_size=1, max_size=8),
    headers=st.dictionaries(HEADERS, HEADER_TEXTS, max_size=4),
    raw=st.binary(max_size=40),
    rate=st.sampled_from([0.1, 0.3, 1.0]),
    api=st.sampled_from(["v7", "v6"]),
)
def test_no_answer_leads_to_a_defect(
    seed: int, values: list[Any], headers: dict[str, str], raw: bytes, rate: float, api: str
) -> None:
    async def work(folder: Path) -> None:
        world = World(seed=seed % 100, page_size=2 if seed % 3 == 0 else 1000)
        async with in_process(world, store=folder / "store.db") as simulated:
            lies = Lies(values, headers, raw, rate)
            simulated.transport._inner = Lying(simulated.transport._inner, Random(seed), lies)
            try:
                ran = await simulated.run(f"{PLAN}api: {api}\n")
                check_sums(ran)
                await everything_shown(simulated, ran)
                if any(test.test_id for test in ran.tests):
                    again = await simulated.rerun(ran.outcome.run.id)
                    check_sums(again)
            except OrchestratorError as error:
                assert str(error)  # noqa: PT017 - a run may be impossible, but then it says why

    with tempfile.TemporaryDirectory() as folder:
        run_virtual(lambda: work(Path(folder)))
