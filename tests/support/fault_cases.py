"""What a run does about each thing that can go wrong: one row per rule, run by ``tests/faults``.

The sentences are the ids of the tests and the words of ``docs/faults.md``; a test holds that both agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulated_run import Ran

from orchestrator.events import Polled, Refused
from orchestrator.simulator.settings import Fault

# Three specs and eight cells. Agents 3, 4 and 5 are cloud agents of the simulated world.
PLAN = """
version: 1
name: faults
tests:
  - name: web
    type: http-server
    targets: ["https://a.example", "https://b.example"]
    agents: ["3", "4", "5"]
    layers: [http-server, network]
  - {name: reach, type: agent-to-server, targets: ["c.example:443"], agents: ["3", "4"]}
deadline: 20m
"""

# An agent gives a row for each name server, and for each direction of a path.
SEVERAL = """
version: 1
name: several rows
tests:
  - name: names
    type: dns-server
    targets: [example.com A]
    agents: ["3", "4"]
    options: {dnsServers: [ns1.example.com, ns2.example.com]}
  - {name: between, type: agent-to-agent, targets: ["1002"], agents: ["1001", "1003"],
     options: {direction: bidirectional}}
deadline: 20m
"""

LOST_BEFORE = ("reset-before", "silent-before", "500", "502", "503", "504")
LOST_ANSWERS = ("reset-after", "silent-after", "500-taken", "502-taken", "503-taken", "504-taken")
# The head of the answer came.
HALF_ANSWERS = ("truncated", "endless-body")
LOST_AFTER = (*LOST_ANSWERS, *HALF_ANSWERS)
UNSAID = ("302", "303", "307", "308", "408", "499")
BROKEN_BODIES = ("truncated-json", "invalid-json", "html", "empty-body")
LIMITED = ("429", "429-no-headers", "retry-after")
HARMLESS = (
    *("wrong-content-type", "huge", "unknown-fields", "numbers-as-strings", "clock-jump", "no-date"),
    *("absurd-limits", "malformed-limits", "no-limits"),
)
COMPLETE: Mapping[str, int] = {"complete": 3}
ANSWERED: Mapping[str, int] = {"answered": 8}


def _nothing_more(_ran: Ran) -> None:
    return


@dataclass(frozen=True, slots=True)
class Case:
    """A rule: these ``kinds`` of faults, aimed at ``match``, end like this.

    ``how`` narrows the faults (``nth``, ``first``, ``layer``, ``value``, ``target``), ``world`` changes other
    settings. ``tests`` and ``cells`` count the ends, ``made`` the tests that the world really created.
    ``says`` stands in the report or in a reason. ``v6`` tells where version 6 ends otherwise.
    """

    sentence: str
    kinds: tuple[str, ...]
    match: str
    code: int
    tests: Mapping[str, int]
    cells: Mapping[str, int]
    made: int = 3
    says: str = ""
    how: Mapping[str, Any] = field(default_factory=dict)
    world: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[Ran], None] = _nothing_more
    v6: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    v6_code: int | None = None
    plan: str = PLAN

    def fault(self, kind: str) -> Fault:
        """The fault of one kind."""
        # The simulator's own size of a huge body is for real memory tests, not for this table.
        more = {"value": 1e6} if kind == "huge" else {}
        return Fault(kind, self.match, **{**more, **self.how})


# -- what is checked besides the ends ----------------------------------------------------------------------


def _limited_once(ran: Ran) -> None:
    assert ran.summary["requests"]["refused_429"] == 1
    assert ran.summary["requests"]["creations"] == 4, "three creations and one that was refused"


def _one_refusal(ran: Ran) -> None:
    assert ran.witness["unauthorized"] == 1, "a refused token is not tried again"
    assert ran.outcome.refused is not None
    assert "401" in ran.outcome.refused
    assert "doctor" in (ran.outcome.hint or "")


def _few_refusals(ran: Ran) -> None:
    """The first one stops the run; what was under way at that moment may be refused too."""
    first = next(place for place, (_, reply) in enumerate(ran.replies) if reply.status == 401)
    later = len(ran.replies) - first - 1
    assert later <= 6, f"{later} requests went on after the first 401"
    assert ran.witness["unauthorized"] <= 1 + later


def _names_permissions(ran: Ran) -> None:
    posts = [request for request in ran.requests if request.method == "POST"]
    assert len(posts) == 2, "no creation after the one that was refused"
    assert ran.outcome.refused is not None
    assert "403" in ran.outcome.refused
    hint = ran.outcome.hint or ""
    assert "API Access" in hint
    assert "account group" in hint


def _no_strangers(ran: Ran) -> None:
    asked = {agent for test in ran.tests for agent in test.spec.agents}
    assert {one.answer.agent_id for one in ran.answers} <= asked
    assert any(polled.strangers for polled in ran.told(Polled))


def _some_skipped(ran: Ran) -> None:
    assert any(polled.skipped for polled in ran.told(Polled))


def _few_reads(ran: Ran) -> None:
    reads, looks = ran.summary["requests"]["reads"], len(ran.told(Polled))
    # A page and the one that it names, which names the first one again; and the listing of agents.
    assert reads <= 2 * looks + 2, f"pages that loop cost {reads} reads of {looks} looks"


def _a_row_for_each(ran: Ran) -> None:
    """Of every server, and of both directions of a path."""
    paths = [one for one in ran.answers if one.answer.layer == "path-vis"]
    assert len(paths) == 8
    assert len({(one.answer.agent_id, one.answer.server, one.answer.direction) for one in paths}) == 8
    assert len([one for one in ran.answers if one.answer.layer == "dns-server"]) == 4


def _long_before_the_deadline(ran: Ran) -> None:
    assert "1 of 2 servers in path-vis (not ns2.example.com)" in ran.reasons()
    assert ran.seconds < min(test.spec.deadline for test in ran.tests)


def _silent_agent(ran: Ran) -> None:
    """What the others have is there, and the cells of the silent one say so."""
    for cell in ran.cells:
        assert cell.state.value == ("missing" if cell.agent_id == "4" else "answered"), cell
    assert ran.seconds < 300.0, "an agent that never answers costs its test's deadline, not the run"


def _refused_pages(ran: Ran) -> None:
    _stayed_home(ran)
    assert any("another test" in refused.detail for refused in ran.told(Refused)), "it was not even said"


def _stayed_home(ran: Ran) -> None:
    """Every request is a path of ours: nothing was taken from a link of another host."""
    assert all(request.path.startswith(("/v7/", "/v6/")) for request in ran.requests)


CASES: tuple[Case, ...] = (
    # -- creations
    Case(
        "A creation that was lost on its way is unknown, and is never repeated",
        LOST_BEFORE,
        "create",
        code=3,
        tests={"unknown": 1, "complete": 2},
        cells={"missing": 3, "answered": 5},
        made=2,
        how={"nth": 1},
        says="Creations whose outcome is unknown",
    ),
    Case(
        "A creation that was taken but whose answer was lost is unknown, and is never repeated",
        LOST_ANSWERS,
        "create",
        code=3,
        tests={"unknown": 1, "complete": 2},
        cells={"missing": 3, "answered": 5},
        how={"nth": 1},
        says="they may exist and may have been paid for, so they were not repeated",
    ),
    Case(
        "A creation whose answer has an unreadable body is found by its Location header",
        (*HALF_ANSWERS, *BROKEN_BODIES, "missing-fields", "null-fields"),
        "create",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
    ),
    Case(
        "A redirect, or a status that is about the connection, leaves a creation unknown; resume keeps it so",
        (*UNSAID, "redirect", "redirect-same", "409"),
        "create",
        code=3,
        tests={"unknown": 1, "complete": 2},
        cells={"missing": 3, "answered": 5},
        made=2,
        how={"nth": 1},
        says="they may exist and may have been paid for, so they were not repeated",
        check=_stayed_home,
    ),
    Case(
        "Such an answer to a creation that was taken does not make it twice",
        tuple(f"{status}-taken" for status in UNSAID),
        "create",
        code=3,
        tests={"unknown": 1, "complete": 2},
        cells={"missing": 3, "answered": 5},
        how={"nth": 1},
        says="Creations whose outcome is unknown",
    ),
    Case(
        "A login page that answers a creation instead of the API leaves it unknown",
        ("portal", "portal-json"),
        "create",
        code=3,
        tests={"unknown": 1, "complete": 2},
        cells={"missing": 3, "answered": 5},
        made=2,
        how={"nth": 1},
        says="created, but its answer is unreadable",
    ),
    Case(
        "An answer that belongs to another creation is not taken for this one's",
        ("others-answer", "others-name", "others-type", "others-agents", "others-id"),
        "create",
        code=3,
        tests={"unknown": 1, "complete": 2},
        cells={"missing": 2, "answered": 6},
        how={"nth": 3},
        says="is not its own",
    ),
    Case(
        "A slow answer to a creation is waited for",
        ("slow-headers", "slow-body"),
        "create",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
    ),
    Case(
        "A creation that met the limit waits for the next window and is then created once",
        LIMITED,
        "create",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        how={"nth": 1},
        check=_limited_once,
    ),
    Case(
        "Creations that meet the limit for ever are not run when the run's deadline comes",
        LIMITED,
        "create",
        code=3,
        tests={"not_run": 3},
        cells={"not_run": 8},
        made=0,
        says="the run's deadline was reached",
    ),
    Case(
        "The first refused token stops the run at once",
        ("401",),
        "create",
        code=4,
        tests={"planned": 3},
        cells={"pending": 8},
        made=0,
        check=_one_refusal,
    ),
    Case(
        "The first refused permission stops creating; what was created is collected",
        ("403",),
        "create",
        code=4,
        tests={"complete": 1, "failed": 1, "not_run": 1},
        cells={"answered": 3, "not_run": 5},
        made=1,
        how={"nth": 2},
        says="refused (403)",
        check=_names_permissions,
    ),
    Case(
        "A creation that the API refuses is failed, and the others go on",
        ("404", "400", "422"),
        "create",
        code=3,
        tests={"failed": 1, "complete": 2},
        cells={"not_run": 3, "answered": 5},
        made=2,
        how={"nth": 1},
        says="refused (",
        check=_stayed_home,
    ),
    # -- reads
    Case(
        "A read that failed is asked again, later",
        (*LOST_BEFORE, *LOST_AFTER, *BROKEN_BODIES, "404"),
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        how={"first": 3},
    ),
    Case(
        "Reads that always fail end with the deadline, and the reason is told",
        (*LOST_BEFORE, *LOST_AFTER),
        "read",
        code=3,
        tests={"timed_out": 3},
        cells={"missing": 8},
        says="these layers were not complete",
    ),
    Case(
        "Answers that can never be read end with the deadline, and the reason is told",
        BROKEN_BODIES,
        "read",
        code=3,
        tests={"timed_out": 3},
        cells={"missing": 8},
        says="unreadable answer",
    ),
    Case(
        "A slow answer to a read is waited for",
        ("slow-headers", "slow-body"),
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
    ),
    Case(
        "A read that met the limit is asked again in the next window",
        LIMITED,
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        how={"first": 3},
    ),
    Case(
        "Reads that meet the limit for ever end with the deadline",
        LIMITED,
        "read",
        code=3,
        tests={"timed_out": 3},
        cells={"missing": 8},
    ),
    Case(
        "A token that is refused in the middle of a run stops it; what came before is kept",
        ("401",),
        "read",
        code=4,
        tests={"waiting": 3},
        cells={"pending": 8},
        how={"nth": 3},
        check=_few_refusals,
    ),
    Case(
        "A layer that may not be read costs only that layer",
        ("403", "redirect", "redirect-same"),
        "read",
        code=3,
        tests={"partial": 3},
        cells={"partial": 8},
        how={"layer": "network"},
        says="network: status ",
        check=_stayed_home,
    ),
    Case(
        "A test that is not found at first is looked for again",
        ("404-fresh",),
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        how={"value": 3},
    ),
    Case(
        "A test that is never found ends without answers after a grace",
        ("404",),
        "read",
        code=3,
        tests={"timed_out": 3},
        cells={"missing": 8},
        says="status 404",
    ),
    # -- what the answers say
    Case(
        "What is odd but readable changes nothing",
        HARMLESS,
        "any",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
    ),
    Case(
        "Odd values lose only themselves",
        ("nan-metrics", "float-ids", "moved-agents", "no-rounds", "control-characters"),
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
    ),
    Case(
        "A listing that comes in pages is read to its end",
        ("paged-listing",),
        "agents",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        how={"value": 2.0},
    ),
    Case(
        "Rows of agents that nobody asked for are left out",
        ("unknown-agents",),
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        check=_no_strangers,
    ),
    Case(
        "A row that comes twice is stored once",
        ("duplicate-rows",),
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
    ),
    Case(
        "Rows that are no rows are skipped and counted",
        ("odd-rows",),
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        check=_some_skipped,
    ),
    Case(
        "Rows that lack half of their fields give what is there",
        ("missing-fields", "null-fields"),
        "read",
        code=0,
        tests=COMPLETE,
        cells={"answered": 6, "errors": 2},
        v6={"tests": {"timed_out": 3}, "cells": {"missing": 8}},
        v6_code=3,
    ),
    # -- pages and links
    Case(
        "Pages that loop are read once around",
        ("looping-pages",),
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        check=_few_reads,
    ),
    Case(
        "A next page of another test is not fetched; what the first page shows is kept",
        ("foreign-pages", "others-pages"),
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        check=_refused_pages,
    ),
    Case(
        "Results that say they are another test's are not stored, and are asked for again",
        ("others-results",),
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        how={"first": 3},
    ),
    Case(
        "A next page that names another host is read at the API's own origin",
        ("foreign-links",),
        "read",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        world={"page_size": 2},
        check=_stayed_home,
    ),
    Case(
        "Result links to other hosts are read at the API's own origin",
        ("foreign-links",),
        "any",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
        check=_stayed_home,
    ),
    # -- what never comes
    Case(
        "An agent that never answers costs its cells and its test's deadline, not the run",
        ("silent-agent",),
        "any",
        code=3,
        tests={"partial": 3},
        cells={"answered": 5, "missing": 3},
        how={"target": "4"},
        check=_silent_agent,
    ),
    Case(
        "A layer that never comes costs that layer",
        ("silent-layer",),
        "any",
        code=3,
        tests={"partial": 3},
        cells={"partial": 8},
        how={"layer": "network"},
        says="network",
    ),
    Case(
        "Further rows of an agent that come later are waited for",
        ("late-rows", "split-rows"),
        "any",
        code=0,
        tests={"complete": 2},
        cells={"answered": 4},
        made=2,
        plan=SEVERAL,
        check=_a_row_for_each,
    ),
    Case(
        "Further rows of an agent that never come are missing, by name, long before the deadline",
        ("lost-rows",),
        "any",
        code=3,
        tests={"partial": 2},
        cells={"partial": 4},
        made=2,
        says="1 of 2 directions in path-vis (not from-target)",
        how={"layer": "path-vis"},
        plan=SEVERAL,
        check=_long_before_the_deadline,
    ),
    Case(
        "Hostile texts in names and errors are data",
        ("hostile",),
        "any",
        code=0,
        tests=COMPLETE,
        cells=ANSWERED,
    ),
)
