"""What can go wrong, by name, and how an answer is spoiled."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from orchestrator.simulator.draws import share
from orchestrator.simulator.messages import Json, JsonObject, Made, SimRequest
from orchestrator.simulator.settings import MATCHES, Fault
from orchestrator.simulator.world import Further, Silence


class When(StrEnum):
    """At which moment a fault acts."""

    BEFORE = "before"  # instead of the request: nothing is taken, nothing is counted
    REFUSED = "refused"  # the API refuses: counted, not taken
    AFTER = "after"  # taken and counted; the answer is spoiled
    WORLD = "world"  # a property of the world, not of one request


_STATUSES: Final = ("500", "502", "503", "504")
# What says nothing of whether a creation was taken: where to go next, or that a connection ended.
_UNSAID: Final = ("302", "303", "307", "308", "408", "499")

# kind -> (moment, what it does)
KINDS: Final = MappingProxyType(
    {
        "reset-before": (When.BEFORE, "connection reset, request not taken"),
        "reset-after": (When.AFTER, "connection reset, request taken"),
        "silent-before": (When.BEFORE, "no answer ever, request not taken"),
        "silent-after": (When.AFTER, "no answer ever, request taken"),
        "slow-headers": (When.AFTER, "answer begins late (value: seconds, 20)"),
        "slow-body": (When.AFTER, "body trickles (value: seconds, 20)"),
        "endless-body": (When.AFTER, "body never ends"),
        "truncated": (When.AFTER, "connection ends in the middle of the body"),
        "truncated-json": (When.AFTER, "half of the JSON, properly framed"),
        "invalid-json": (When.AFTER, "text that is no JSON"),
        "html": (When.AFTER, "an HTML page with the right status"),
        "empty-body": (When.AFTER, "no body"),
        "wrong-content-type": (When.AFTER, "right body called text/plain"),
        "500": (When.REFUSED, "the API's own error, request not taken"),
        **{status: (When.BEFORE, f"a proxy's {status}, request not taken") for status in _STATUSES[1:]},
        **{f"{status}-taken": (When.AFTER, f"answer {status}, request taken") for status in _STATUSES},
        **{status: (When.BEFORE, f"a proxy's {status}, request not taken") for status in _UNSAID},
        **{f"{status}-taken": (When.AFTER, f"answer {status}, request taken") for status in _UNSAID},
        "portal": (When.BEFORE, "200 with a login page, request not taken"),
        "portal-json": (When.BEFORE, "200 with a login page's JSON, request not taken"),
        "400": (When.REFUSED, "the request is refused as invalid"),
        "422": (When.REFUSED, "the request is refused as not processable"),
        "409": (When.REFUSED, "a conflict: such a test exists"),
        "401": (When.REFUSED, "token refused"),
        "403": (When.REFUSED, "permission refused"),
        "404": (When.REFUSED, "not found"),
        "429": (When.REFUSED, "limit exhausted, with headers"),
        "429-no-headers": (When.REFUSED, "limit exhausted, without headers"),
        "retry-after": (When.REFUSED, "limit exhausted, Retry-After only (value: seconds, 10)"),
        "redirect": (When.REFUSED, "307 to another host (target: its origin)"),
        "redirect-same": (When.REFUSED, "307 to another path of the same host"),
        "404-fresh": (When.WORLD, "a new test is not found for some looks (value: looks, 1)"),
        "others-answer": (When.AFTER, "the answer to an earlier creation"),
        "others-id": (When.AFTER, "the test id of an earlier creation, and no name"),
        "others-name": (When.AFTER, "the name of a test of somebody else"),
        "others-type": (When.AFTER, "the type of another test"),
        "others-agents": (When.AFTER, "the agents of another test"),
        "others-results": (When.AFTER, "the results of another test"),
        "others-pages": (When.AFTER, "the next page is another test's"),
        "huge": (When.AFTER, "a body of many bytes (value: bytes, 100 million)"),
        "unknown-fields": (When.AFTER, "fields that no document knows"),
        "missing-fields": (When.AFTER, "every second field of a row is missing"),
        "null-fields": (When.AFTER, "every second field of a row is null"),
        "numbers-as-strings": (When.AFTER, "numbers written as strings"),
        "unknown-agents": (When.AFTER, "rows of agents that nobody asked for"),
        "duplicate-rows": (When.AFTER, "every row twice"),
        "odd-rows": (When.AFTER, "rows that are no objects"),
        "nan-metrics": (When.AFTER, "NaN and Infinity among the metrics of a row"),
        "float-ids": (When.AFTER, "ids and rounds written as 1795718010.0"),
        "moved-agents": (When.AFTER, "a row's agent where the other version has it"),
        "no-rounds": (When.AFTER, "rows without a roundId"),
        "control-characters": (When.AFTER, "raw control characters and broken UTF-8 in texts"),
        "paged-listing": (When.AFTER, "agents, labels and groups in pages (value: size, 50)"),
        "looping-pages": (When.AFTER, "the next page is this page"),
        "foreign-links": (When.WORLD, "links to other hosts"),
        "foreign-pages": (When.AFTER, "the next page is on another host"),
        "clock-jump": (When.AFTER, "Date is wrong (value: seconds, 3600)"),
        "no-date": (When.AFTER, "no Date header"),
        "absurd-limits": (When.AFTER, "limit headers with impossible numbers"),
        "malformed-limits": (When.AFTER, "limit headers that are no numbers"),
        "no-limits": (When.AFTER, "no limit headers"),
        "silent-agent": (When.WORLD, "an agent never answers (target: its id, or probability)"),
        "silent-layer": (When.WORLD, "a layer never comes (layer, type)"),
        "late-rows": (When.WORLD, "each further row of an agent in a layer comes later (value: seconds, 25)"),
        "lost-rows": (When.WORLD, "only the first row of an agent in a layer ever comes"),
        "split-rows": (When.WORLD, "the network in both directions gives a row for each"),
        "hostile": (When.WORLD, "hostile texts in agent names and errors"),
    }
)

# What a fault without a match is aimed at, where "any" would make no sense.
DEFAULT_MATCH: Final = MappingProxyType(
    {
        "403": "create",
        "404": "read",
        "paged-listing": "agents",
        **dict.fromkeys(
            ("others-answer", "others-id", "others-name", "others-type", "others-agents"), "create"
        ),
        **dict.fromkeys(
            (
                *("others-results", "others-pages"),
                *("nan-metrics", "float-ids", "moved-agents", "no-rounds", "control-characters"),
                *("missing-fields", "null-fields", "unknown-agents", "duplicate-rows", "odd-rows"),
                *("looping-pages", "foreign-pages"),
            ),
            "read",
        ),
    }
)


def parse_fault(text: str) -> Fault:
    """``KIND[:MATCH[:P]]`` as the command line takes it.

    P is a probability, or ``#n`` for the n-th such request only, or ``#n+`` for the n-th and all later ones.

    Raises ValueError that says what was expected.
    """
    kind, _, rest = text.partition(":")
    match, _, lot = rest.partition(":")
    check_kind(kind)
    match = match or DEFAULT_MATCH.get(kind, "any")
    if match not in MATCHES:
        raise ValueError(f"unknown match '{match}' in fault '{text}': expected one of {', '.join(MATCHES)}")
    if lot.startswith("#"):
        position = lot[1:].removesuffix("+")
        if not re.fullmatch(r"[1-9][0-9]{0,8}", position):
            raise ValueError(f"'{lot}' in fault '{text}' must be # and a number from 1, or that and +")
        if lot.endswith("+"):
            return Fault(kind, match, after=int(position) - 1)
        return Fault(kind, match, nth=int(position))
    if not lot:
        return Fault(kind, match)
    try:
        probability = float(lot)
    except ValueError:
        probability = -1.0
    if not 0.0 <= probability <= 1.0:
        raise ValueError(f"'{lot}' in fault '{text}' must be a probability between 0 and 1")
    return Fault(kind, match, probability=probability)


def check_kind(kind: str) -> None:
    """Raise ValueError if there is no such fault."""
    if kind not in KINDS:
        raise ValueError(f"unknown fault '{kind}': expected one of {', '.join(sorted(KINDS))}")


def silence_of(faults: Sequence[Fault]) -> Silence:
    """The agents and layers that will never answer. Raises ValueError for an agent that cannot be."""
    agents = [fault for fault in faults if fault.kind == "silent-agent"]
    for fault in agents:
        if fault.target is None and fault.probability is None:
            raise ValueError("fault 'silent-agent' needs a target (an agent's id) or a probability")
        if fault.target is not None and not re.fullmatch("[0-9]{1,18}", fault.target):
            raise ValueError(f"fault 'silent-agent': target '{fault.target}' is no agent id")
    return Silence(
        agents=frozenset(int(fault.target) for fault in agents if fault.target is not None),
        agent_shares=tuple(fault.probability for fault in agents if fault.probability is not None),
        layers=tuple((fault.layer, fault.type) for fault in faults if fault.kind == "silent-layer"),
        further=tuple(_further(fault) for fault in faults if fault.kind in {"late-rows", "lost-rows"}),
        split=any(fault.kind == "split-rows" for fault in faults),
    )


def _further(fault: Fault) -> Further:
    if fault.target is not None and not re.fullmatch("[0-9]{1,18}", fault.target):
        raise ValueError(f"fault '{fault.kind}': target '{fault.target}' is no agent id")
    late = 25.0 if fault.value is None else fault.value
    agent = None if fault.target is None else int(fault.target)
    return Further(math.inf if fault.kind == "lost-rows" else late, fault.layer, fault.type, agent)


@dataclass(slots=True)
class _Counted:
    fault: Fault
    seen: int = 0


class Faults:
    """Which faults hit a request. Counts requests, so the n-th means the n-th."""

    def __init__(self, seed: int, faults: Sequence[Fault]) -> None:
        for fault in faults:
            check_kind(fault.kind)
            if fault.match not in MATCHES:
                raise ValueError(f"unknown match '{fault.match}' of fault '{fault.kind}'")
        self._seed = seed
        self._faults = [_Counted(fault) for fault in faults if KINDS[fault.kind][0] is not When.WORLD]
        self._worldly = {fault.kind: fault for fault in faults if KINDS[fault.kind][0] is When.WORLD}

    def worldly(self, kind: str) -> Fault | None:
        """The fault of the world with this name, if it is on."""
        return self._worldly.get(kind)

    def hit(self, kind: str, layer: str | None, type_name: str | None) -> list[Fault]:
        """The faults that this request meets, in the order in which they were given."""
        return [counted.fault for counted in self._matching(kind, layer, type_name) if self._fires(counted)]

    def _matching(self, kind: str, layer: str | None, type_name: str | None) -> Iterator[_Counted]:
        for counted in self._faults:
            fault = counted.fault
            if fault.match == "any" and fault.kind in DEFAULT_MATCH:
                wanted = DEFAULT_MATCH[fault.kind]
            else:
                wanted = fault.match
            if wanted in {"any", kind} and fault.layer in {None, layer} and fault.type in {None, type_name}:
                counted.seen += 1
                yield counted

    def _fires(self, counted: _Counted) -> bool:
        fault = counted.fault
        if fault.nth is not None:
            return counted.seen == fault.nth
        if fault.first is not None:
            return counted.seen <= fault.first
        if fault.after is not None:
            return counted.seen > fault.after
        if fault.probability is not None:
            lot = share(self._seed, "fault", fault.kind, fault.match, fault.layer, counted.seen)
            return lot < fault.probability
        return True


# --- spoiling the answer as data


def spoil(made: Made, faults: Sequence[Fault], request_href: str) -> None:
    """Apply the faults that change what the answer says."""
    for fault in faults:
        change = _CHANGES.get(fault.kind)
        if change is not None:
            change(made, request_href)


def _unknown_fields(made: Made, _href: str) -> None:
    if isinstance(made.payload, dict):
        made.payload["surprise"] = {"nested": [1, None, {"deep": True}]}
    for row in _objects(made):
        row |= {"newMetric": 1.5, "healthScore": 0.97, "newObject": {"a": [1, 2]}}


def _missing_fields(made: Made, _href: str) -> None:
    for row in _objects(made):
        for name in sorted(row)[::2]:
            del row[name]


def _null_fields(made: Made, _href: str) -> None:
    for row in _objects(made):
        row.update(dict.fromkeys(sorted(row)[::2]))


def _unknown_agents(made: Made, _href: str) -> None:
    if not made.rows:
        return
    stranger = copy.deepcopy(made.rows[0])
    if "agentId" in stranger:
        stranger |= {"agentId": 999_999_999, "agentName": "nobody asked"}
    else:
        stranger["agent"] = {"agentId": "999999999", "agentName": "nobody asked"}
    made.rows.append(stranger)


def _duplicate_rows(made: Made, _href: str) -> None:
    if made.rows:
        made.rows += copy.deepcopy(made.rows)


def _odd_rows(made: Made, _href: str) -> None:
    if made.rows:
        made.rows += [None, 7, "row", [], {}, {"agent": None, "roundId": "x"}]


def _looping_pages(made: Made, href: str) -> None:
    _set_next(made, href)


def _foreign_pages(made: Made, _href: str) -> None:
    _set_next(made, "http://foreign.invalid/v7/test-results/1/network?cursor=x")


def _nan_metrics(made: Made, _href: str) -> None:
    for row, odd in zip(_objects(made), (float("nan"), float("inf"), float("-inf")), strict=False):
        for name in ("throughput", "jitter", "avgLatency"):
            if name in row:
                row[name] = odd


def _float_ids(made: Made, _href: str) -> None:
    for row in _objects(made):
        for place in (row, row.get("agent")):
            if isinstance(place, dict):
                place.update(
                    {
                        name: float(place[name])
                        for name in ("roundId", "agentId")
                        if str(place.get(name)).isdigit()
                    }
                )


def _moved_agents(made: Made, _href: str) -> None:
    for row in _objects(made):
        if isinstance(row.get("agent"), dict):
            row.update(row.pop("agent"))
        else:
            row["agent"] = {name: row.pop(name) for name in ("agentId", "agentName") if name in row}


def _no_rounds(made: Made, _href: str) -> None:
    for row in _objects(made):
        row.pop("roundId", None)


def paged(made: Made, fault: Fault, request: SimRequest, href: str) -> None:
    """One page of a listing, with a link to the next."""
    if not isinstance(made.payload, dict):
        return
    size, start = int(fault.value or 50), int(request.query.get("cursor", "0"))
    rows = next((rows for rows in made.payload.values() if isinstance(rows, list)), [])
    more = start + size < len(rows)
    rows[:] = rows[start : start + size]
    if more:
        kept = {name: value for name, value in request.query.items() if name != "cursor"}
        link = f"{href}?{urlencode({**kept, 'cursor': start + size})}"
        if "_links" in made.payload:
            made.payload["_links"]["next"] = {"href": link}
        else:
            made.payload["pages"] = {"current": 1, "next": link}


def _others_pages(made: Made, href: str) -> None:
    found = re.search(r"/([0-9]+)([^0-9]*)$", href)
    if found is not None:
        _set_next(made, f"{href[: found.start(1)]}1{found.group(1)}{found.group(2)}?cursor=x")


def _others_results(made: Made, _href: str) -> None:
    inner = made.payload.values() if isinstance(made.payload, dict) else ()
    for place in (made.payload, *inner):
        test = place.get("test") if isinstance(place, dict) else None
        if isinstance(test, dict):
            test["testId"] = type(test["testId"])(f"1{test['testId']}")


def _others_name(made: Made, _href: str) -> None:
    for test in _tests(made):
        test["testName"] = "nightly / web / https://else.example [orc-000000-00000000]"


def _others_type(made: Made, _href: str) -> None:
    for test in _tests(made):
        test["type"] = "dns-trace" if test.get("type") != "dns-trace" else "http-server"


def _others_agents(made: Made, _href: str) -> None:
    for test in _tests(made):
        test["agents"] = [{"agentId": 77_000_001}, {"agentId": "77000002"}]


def _tests(made: Made) -> list[JsonObject]:
    """The created test, which version 6 puts into a list."""
    if not isinstance(made.payload, dict) or made.status != 201:
        return []
    listed = made.payload.get("test", [made.payload])
    return [test for test in listed if isinstance(test, dict)]


def anothers(made: Made, earlier: Made, faults: Sequence[Fault]) -> None:
    """Faults that answer a creation as an ``earlier`` one was answered."""
    kinds = {fault.kind for fault in faults}
    if kinds & {"others-answer", "others-id"}:
        made.payload, made.headers = copy.deepcopy(earlier.payload), dict(earlier.headers)
    if "others-id" in kinds:
        for test in _tests(made):
            for name in ("testName", "type", "agents"):
                test.pop(name, None)


def _set_next(made: Made, href: str) -> None:
    if made.links is not None:
        made.links["next"] = {"href": href} if made.next_is_object else href


def _numbers_as_strings(made: Made, _href: str) -> None:
    made.payload = strings_for_numbers(made.payload)


def strings_for_numbers(value: Json) -> Json:
    """The same JSON with every number written as a string."""
    if isinstance(value, dict):
        return {name: strings_for_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [strings_for_numbers(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _objects(made: Made) -> list[JsonObject]:
    return [row for row in made.rows or () if isinstance(row, dict)]


_CHANGES: Final[dict[str, Callable[[Made, str], None]]] = {
    "unknown-fields": _unknown_fields,
    "missing-fields": _missing_fields,
    "null-fields": _null_fields,
    "unknown-agents": _unknown_agents,
    "duplicate-rows": _duplicate_rows,
    "odd-rows": _odd_rows,
    "nan-metrics": _nan_metrics,
    "float-ids": _float_ids,
    "moved-agents": _moved_agents,
    "no-rounds": _no_rounds,
    "others-name": _others_name,
    "others-type": _others_type,
    "others-agents": _others_agents,
    "others-results": _others_results,
    "others-pages": _others_pages,
    "looping-pages": _looping_pages,
    "foreign-pages": _foreign_pages,
    "numbers-as-strings": _numbers_as_strings,
}
