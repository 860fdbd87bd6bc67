"""Runs for the HTML report: one with everything that can be wrong, large ones, and one whose names attack."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from builders import make_answer
from insight_runs import CLEAN, SILENT, How, expired, fails, refused, row
from report_since import faster
from told_runs import LEFT_OUT, MAKE, cell, source_of

from orchestrator.insight.values import Observed, Trouble
from orchestrator.model import Agent, AgentType, Answer, Hop, Metric, Path, Verdict
from orchestrator.records import TestRecord
from orchestrator.report.source import Source
from orchestrator.testtypes.layers import DETAILS, PATHS

CITIES = (
    ("NO", "oslo"), ("US", "new-york"), ("US", "denver"), ("US", "boston"), ("FR", "paris"), ("FR", "lyon"),
    ("FR", "marseille"), ("GB", "london"), ("GB", "leeds"), ("DE", "hamburg"), ("DE", "munich"),
    ("CA", "montreal"), ("CA", "toronto"), ("NL", "amsterdam"), ("PL", "warsaw"), ("JP", "tokyo"),
    ("JP", "osaka"), ("SG", "singapore"), ("BR", "sao-paulo"), ("AU", "sydney"), ("IT", "milan"),
    ("ES", "madrid"),
)  # fmt: skip
_TARGETS = (
    "portal", "shop", "wiki", "crm", "mail", "intranet", "tickets", "payroll", "files", "login", "api",
    "video",
)  # fmt: skip
_TRANSIT = "198.19.231.27"
_BEYOND = frozenset({"paris", "lyon", "marseille", "amsterdam", "warsaw", "montreal", "toronto"})
_THROUGH = frozenset({"mail", "api", "video"})


def agents(number: int | None = None) -> tuple[Agent, ...]:
    """Branches, each in a city, over and over if there are more of them."""
    found = []
    for n in range(len(CITIES) if number is None else number):
        country, city = CITIES[n % len(CITIES)]
        kind = AgentType.CLOUD if n % 3 == 0 else AgentType.ENTERPRISE
        name = f"branch-{n + 1:02}-{city}"
        found.append(Agent(str(1001 + n), name, kind, country, city.title(), network=f"AS 645{n % 7:02}"))
    return tuple(found)


def healthy(agent: Agent, target: str, seed: int) -> How:
    """A cell that passes, as fast as its target is and its agent is near."""
    chance = random.Random(f"{seed} {agent.id} {target}")
    own = random.Random(target).uniform(0.6, 3.0)
    far = random.Random(agent.id).uniform(0.7, 2.5)
    wait = 90 * own * chance.uniform(0.8, 1.3)
    times = {
        "dnsTime": 8 * far, "connectTime": 22 * far, "sslTime": 30 * far, "waitTime": wait,
        "receiveTime": 20 * own * far,
    }  # fmt: skip
    web: dict[str, Metric] = {"responseCode": 200.0, **times, "totalTime": sum(times.values())}
    net: dict[str, Metric] = {"loss": 0.0, "avgLatency": 22 * far}
    return How(rows=(row("http-server", agent, web), row("network", agent, net)))


def lossy(agent: Agent, target: str, seed: int) -> How:
    """A cell that loses packets."""
    loss = random.Random(f"{seed} {target}").choice([8.0, 12.0, 20.0, 30.0, 38.0])
    good = healthy(agent, target, seed)
    rows = ((good.rows or ())[0], row("network", agent, {"loss": loss, "avgLatency": 48.0}))
    return How(Verdict.FAIL, rows, (_loss(f"network.loss {loss:g} %, expected < 5"),))


def _loss(text: str, *, asked: bool = True) -> Trouble:
    return Trouble("network", text, metric="loss", asked=asked)


def trace(agent: Agent, target: str) -> tuple[Hop, ...]:
    """The hops from an agent to a target: its own way out, an aggregation, transit, an edge."""
    number = int(agent.id) - 1000
    city = CITIES[(number - 1) % len(CITIES)][1]
    area = number % 4
    through = city in _BEYOND and target in _THROUGH
    transit = _TRANSIT if through else f"198.19.230.{1 + (number + len(target)) % 4}"
    name = "tr2-san-jose-0" if through else f"tr1-core-{(number + len(target)) % 4}"
    return (
        Hop(1, f"192.0.2.{number % 250}", rdns=f"gw-{city}"),
        Hop(2, f"198.18.{area}.1", rdns=f"agg-{area}", network="AS 64500 Example Access"),
        Hop(3, f"198.19.0.{area + 1}", rdns=f"near-{area}", network="AS 64601 Example Backbone"),
        Hop(4, transit, rdns=name, network="AS 64602 Example Backbone"),
        Hop(
            5,
            f"203.0.113.{1 + len(target) % 2}",
            rdns=f"edge-{len(target) % 2}",
            network="AS 64700 Example Hosting",
        ),
    )


def _with_path(how: How, agent: Agent, target: str, *, dead: bool) -> How:
    hops = trace(agent, target)
    seen = hops[:3] if dead else hops
    metrics: dict[str, Metric] = {"numberOfHops": len(seen), "pathTraces": 1}
    if not dead:
        metrics["responseTime"] = 40.0
    details = make_answer(DETAILS, agent.id, metrics={"pathTraces": 1}, paths=(Path("p", seen),))
    rows: tuple[Answer, ...] = (*(how.rows or ()), row(PATHS.name, agent, metrics), details)
    return replace(how, rows=rows, earlier=(hops,) if dead else ())


def demo_cells(*, seed: int = 1) -> Iterator[Observed]:
    """A dead transit hop, an expired certificate, a lossy site, a silent agent, a failure and a warning of
    their own, a site that was left out."""
    for target in _TARGETS:
        for agent in agents():
            yield _demo_cell(agent, target, seed)


def _demo_cell(agent: Agent, target: str, seed: int) -> Observed:
    city = agent.name.split("-", 2)[2]
    dead = city in _BEYOND and target in _THROUGH
    how = healthy(agent, target, seed)
    if city == "tokyo":
        return cell(agent, target, SILENT)
    if city == "madrid":
        return cell(agent, target, LEFT_OUT, reason="the agent is offline")
    if dead:
        how = refused(f"Connect: Connection to {target}.example.com timed out after 5000 ms")
        how = replace(how, rows=(row("network", agent, {"loss": 100.0}),))
    elif target == "crm":
        how = expired("SSL certificate problem: certificate has expired")
        how = replace(how, rows=(*(how.rows or ())[:1], row("network", agent, CLEAN)))
    elif city == "oslo":
        how = lossy(agent, target, seed)
    elif (city, target) == ("new-york", "login"):
        how = fails(
            Trouble("http-server", "Receive: Operation timed out after 5000 ms", error_type="receive")
        )
    elif (city, target) == ("leeds", "files"):
        trouble = _loss("network.loss 7 %, expected <= 5", asked=False)
        how = replace(how, verdict=Verdict.WARN, troubles=(trouble,))
    return cell(agent, target, _with_path(how, agent, target, dead=dead))


def calm_cells() -> list[Observed]:
    """The same fleet and targets on a day when nothing was wrong, and the wiki three times as fast."""
    cells = [cell(agent, target, healthy(agent, target, 2)) for target in _TARGETS for agent in agents()]
    return faster(cells, "wiki", 3.0)


def demo(**run: Any) -> Source:
    """The run with everything that can be wrong."""
    return source(list(demo_cells()), agents(), **run)


def source(cells: Sequence[Observed], fleet: Sequence[Agent], **run: Any) -> Source:
    """A source over these cells that knows their tests too."""
    specs = {one.spec.key: one.spec for one in cells if one.spec is not None}
    tests = [MAKE.test(spec=spec) for spec in specs.values()]

    async def all_tests() -> Sequence[TestRecord]:
        return tests

    return replace(source_of(cells, fleet, **run), tests=all_tests)


def good(**run: Any) -> Source:
    """A run in which all passes."""
    fleet = agents(6)
    cells = [cell(agent, target, healthy(agent, target, 1)) for target in _TARGETS[:5] for agent in fleet]
    return source(cells, fleet, **run)


def large(rows: int, columns: int, *, bad: float = 0.16, **run: Any) -> Source:
    """So many targets from so many agents; some targets and agents fail wholly, the rest of what is bad is
    strewn."""
    fleet = agents(columns)
    return source(list(large_cells(rows, fleet, bad)), fleet, **run)


def large_cells(rows: int, fleet: Sequence[Agent], bad: float) -> Iterator[Observed]:
    """The cells of :func:`large`."""
    chance = random.Random(f"{rows} {len(fleet)}")
    for n in range(rows):
        target = f"site-{n:04}.example.com"
        dead = n % 17 == 3
        for m, agent in enumerate(fleet):
            how = healthy(agent, target, 1)
            if m == len(fleet) - 1:
                how = SILENT
            elif dead:
                how = refused(f"Connect: Connection to {target} timed out after 5000 ms")
            elif m == 4:
                how = lossy(agent, target, 1)
            elif chance.random() < bad - 0.08:
                how = fails(Trouble("http-server", _SLOW, metric="totalTime"), rows=how.rows)
            yield cell(agent, target, how)


_SLOW = "http-server.totalTime 5200 ms, expected < 5000 ms"
# What a plan, an agent's name or an error text may carry.
ATTACKS = (
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'><svg/onload=alert(1)>", "</style><b>x",
    "javascript:alert(1)", "{{ 7*7 }}{% raw %}", "\x1b[31mred\x07", "\u202eevil\u2066", "a\x00b\ufeffc",
    "&lt;i&gt;&amp;", "</title></head><iframe src=//x>", "<!--", "]]>", "x" * 3000, "\ud800", " ", "",
    "https://user:secret@evil.example/", "<style>*{display:none}</style>", "<base href=//evil>",
    "<meta http-equiv=refresh content=0>", "onmouseover=alert(1) x=",
)  # fmt: skip


def hostile(**run: Any) -> Source:
    """A run in which every text that is not ours attacks the page."""
    fleet, cells = hostile_cells()
    return source(cells, fleet, plan=ATTACKS[0], plan_path=ATTACKS[1], **run)


def hostile_cells() -> tuple[tuple[Agent, ...], list[Observed]]:
    """The agents and cells of :func:`hostile`."""
    fleet = tuple(
        Agent(f"{n}\"'><i>", text, AgentType.CLOUD, ("<b>", "US")[n % 2], text, network=text, labels=(text,))
        for n, text in enumerate(ATTACKS)
    )
    cells = []
    for n, target in enumerate(ATTACKS):
        for m, agent in enumerate(fleet):
            how = healthy(agent, "x", 1)
            if (n * m) % 5 == 1 or n == 2:
                how = refused(f"Connect: {ATTACKS[(n + m) % len(ATTACKS)]}")
            if m == 3:
                how = replace(LEFT_OUT)
            made = cell(agent, target or "empty", how, test=ATTACKS[n % 3], reason=target if m == 3 else "")
            rows = tuple(one._replace(link="javascript:alert(1)", error=target) for one in made.rows)
            rows += _hostile_path(agent, n)
            cells.append(made._replace(rows=rows))
    return fleet, cells


def _hostile_path(agent: Agent, n: int) -> tuple[Answer, ...]:
    hops = tuple(Hop(k, f"{text[:40]}{k}", rdns=text, network=text) for k, text in enumerate(ATTACKS[:6], 1))
    details = make_answer(DETAILS, agent.id, metrics={"pathTraces": 1}, paths=(Path(ATTACKS[n], hops),))
    return (row(PATHS.name, agent, {"numberOfHops": 6, "pathTraces": 1}), details)
