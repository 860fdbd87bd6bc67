"""What a cell has in common with others: its groups, each only where the data exist."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from orchestrator.insight.jumps import Jump, jumps
from orchestrator.insight.kinds import NAME_SERVER
from orchestrator.insight.phases import is_filtered, phase_of
from orchestrator.insight.values import LEVELS, CellKey, Group, Observed, Phase, Seen
from orchestrator.model import Answer, AnswerStatus, Hop, Json, Spec, Verdict
from orchestrator.near import folded
from orchestrator.testtypes.layers import BY_SERVER, DETAILS, LAYERS, PACKETS, PATHS
from orchestrator.testtypes.table import TEST_TYPES

JUDGED = frozenset({Verdict.PASS, Verdict.WARN, Verdict.FAIL})
EVERYTHING = Group("run", ("run",))
_WHY = 3
# The metrics that sentences are made of, by layer: the parts that add up to a whole, and what shows that the
# network is to blame for them. A run has a million other numbers, which nobody asks for.
_TOLD: Mapping[str, Sequence[tuple[str, str]]] = {
    layer.name: [
        (name, f"{layer.name}.{name}")
        for name in dict.fromkeys((*layer.parts, *(("loss", "avgLatency") if layer is PACKETS else ())))
    ]
    for layer in LAYERS.values()
}
_NUMBERS = frozenset({int, float})
# Levels that a layer comes to which resolves names only, or sends nothing but probes: never to TLS. That of
# answers is theirs too, since an error of no other kind is counted there.
_OF_NAMES = (1, 5)
_OF_PACKETS = (1, 2, 4, 5)
# A mapping's lines carry times to live and classes, which change by themselves.
_NO_ANSWER_TEXT = re.compile(r"[0-9]+|IN|CH", re.IGNORECASE)
_BLANKS = re.compile(r"[\s,;]+")


def seen(cell: Observed) -> Seen | None:
    """A cell as the engine takes it; ``None`` for one that was not judged, and so says nothing."""
    record = cell.record
    if record.verdict not in JUDGED:
        return None
    now = traces_of(cell.rows)
    traces = (*now, *map(_beyond_the_first, cell.earlier)) if cell.earlier else now
    bad = record.verdict is not Verdict.PASS
    return Seen(
        key=CellKey(record.test, record.target, record.agent_id),
        verdict=record.verdict,
        # Whatever a verdict was made of, a bad cell is counted.
        phase=phase_of(cell) or Phase.ERROR if bad else None,
        groups=tuple(groups_of(cell, now, traces)),
        country=cell.agent.country if cell.agent is not None else record.country,
        why=tuple(dict.fromkeys(one.text for one in cell.troubles))[:_WHY] if bad else (),
        metrics=_numbers(cell.rows),
        hops_known=any(traces),
        hops_now=any(now),
        filtered=is_filtered(cell.rows),
        jumps=jumps_of(cell.rows) if bad else (),
        tells=LEVELS if cell.spec is None else levels_of(cell.spec.layers),
        recalled=_recalled(now, traces) if bad and cell.earlier else frozenset(),
    )


def _recalled(now: Sequence[Sequence[Hop]], traces: Sequence[Sequence[Hop]]) -> frozenset[Group]:
    seen_now = {group for trace in now for group in _of_trace(trace)}
    return frozenset(group for trace in traces for group in _of_trace(trace)) - seen_now


@lru_cache(maxsize=4096)
def levels_of(layers: tuple[str, ...]) -> tuple[int, ...]:
    """The levels that a test with these layers comes to: those of names, of packets, or all."""
    told: set[int] = set()
    for layer in (LAYERS.get(name) for name in layers):
        resolves, packets = layer is not None and layer.resolves, layer is not None and layer.measures_network
        told.update(_OF_NAMES if resolves else _OF_PACKETS if packets else LEVELS)
    return tuple(sorted(told)) or LEVELS


def groups_of(
    cell: Observed,
    now: Sequence[Sequence[Hop]],
    traces: Sequence[Sequence[Hop]],
) -> Iterator[Group]:
    """Every group of a cell; ``now`` are the traces of this run, ``traces`` also those of an earlier one."""
    record, agent = cell.record, cell.agent
    yield from _of_target(record.test, record.target)
    yield _alone("agent", record.agent_id)
    if cell.spec is not None:
        yield from _asked(cell.spec, record.agent_id)
    yield from _answered(cell.rows)
    places, labels = (
        _of_agent(record.country)
        if agent is None
        else _of_agent(agent.country, agent.type.value, agent.location, agent.network, agent.labels)
    )
    target = (record.test, record.target)
    for place in places:
        yield place
        yield _pair(place, target)
    yield from labels
    for trace in traces:
        yield from _of_trace(trace)
    if now and not any(row.layer == PATHS.name and "responseTime" in row.metrics for row in cell.rows):
        for trace in now:
            yield from (_alone("last-hop", one.address) for one in trace[-1:] if one.address)


@lru_cache(maxsize=65536)
def _alone(kind: str, value: str) -> Group:
    """Kept: a run has few groups and many cells, and a million equal values would keep the collector busy."""
    return Group(kind, (value,))


@lru_cache(maxsize=65536)
def _of_target(test: str, target: str) -> tuple[Group, Group, Group]:
    return EVERYTHING, Group("target", (test, target)), _alone("block", test)


# Cells come target by target, and the agents of a country or a network share these.
@lru_cache(maxsize=65536)
def _pair(place: Group, target: tuple[str, str]) -> Group:
    return Group(f"{place.kind}*target", (*place.value, *target))


@lru_cache(maxsize=65536)
def _of_agent(
    country: str | None,
    kind: str | None = None,
    location: str | None = None,
    network: str | None = None,
    labels: tuple[str, ...] = (),
) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """Where it is and what it is, each of which makes a pair with the target too; and its labels."""
    told = {"country": country, "agent-type": kind, "location": location, "network": network}
    places = tuple(_alone(name, value) for name, value in told.items() if value)
    return places, tuple(_alone("label", label) for label in labels)


def _asked(spec: Spec, agent_id: str) -> Iterator[Group]:
    host = host_of(spec)
    if host is not None:
        yield _alone("host", host)
    far = spec.fields.get("targetAgentId")
    if isinstance(far, str | int):
        yield _alone("endpoint", agent_id)
        yield Group("endpoint", (str(far),))


def host_of(spec: Spec) -> str | None:
    """The host that a spec is about, without scheme, port and path, blind to case; ``None`` for an agent."""
    kind = TEST_TYPES.get(spec.type)
    if kind is None or kind.bare == "targetAgentId":
        return None
    fields: Mapping[str, Json] = spec.fields
    inner = fields.get(kind.nested) if kind.nested else None
    if isinstance(inner, Mapping):
        fields = inner
    told = fields.get(kind.bare)
    return _host(told) if isinstance(told, str) and told.strip() else None


@lru_cache(maxsize=65536)
def _host(told: str) -> str | None:
    # A domain carries its record type behind a blank.
    text = told.split(maxsplit=1)[0]
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError:
        return None
    return folded(host) if host else None


def _answered(rows: Iterable[Answer]) -> Iterator[Group]:
    for row in rows:
        ip = row.metrics.get("serverIp")
        if ip and isinstance(ip, str):
            yield _alone("server-ip", ip)
        if row.server and row.layer == BY_SERVER.name:
            yield _alone(NAME_SERVER, row.server)
        mappings = row.metrics.get("mappings")
        if mappings and isinstance(mappings, str) and mappings.strip():
            yield Group("dns-answer", (normalised(mappings),))


@lru_cache(maxsize=65536)
def normalised(mappings: str) -> str:
    """What a name was resolved to, in an order of its own and without times to live."""
    words = {folded(one) for one in _BLANKS.split(mappings) if one and not _NO_ANSWER_TEXT.fullmatch(one)}
    return " ".join(sorted(words))


def traces_of(rows: Iterable[Answer]) -> tuple[tuple[Hop, ...], ...]:
    """The hops that answered, but for the first, of each trace of a cell."""
    return tuple(
        _beyond_the_first(path.hops) for row in rows if row.layer == DETAILS for path in row.paths or ()
    )


def jumps_of(rows: Sequence[Answer]) -> tuple[Jump, ...]:
    """Where along the traces of a cell it gets slow or lossy and stays so; what several traces have, once."""
    reached = any(row.layer == PATHS.name and "responseTime" in row.metrics for row in rows)
    traces = (path.hops for row in rows if row.layer == DETAILS for path in row.paths or ())
    return tuple(dict.fromkeys(jump for trace in traces for jump in jumps(trace, reached=reached)))


def _beyond_the_first(hops: Sequence[Hop]) -> tuple[Hop, ...]:
    """The first hop is the agent's own way out, and says no more than the agent does."""
    return tuple(hop for hop in hops if hop.number > 1 and hop.address)


def _of_trace(trace: Sequence[Hop]) -> Iterator[Group]:
    before: Hop | None = None
    for hop in trace:
        if hop.address is None:
            continue
        yield from _of_hop(hop.address, hop.network)
        if before is not None and before.address is not None and before.number + 1 == hop.number:
            yield _link(before.address, hop.address)
        before = hop


# Kept, since a run sees the same hops over and over.
@lru_cache(maxsize=65536)
def _of_hop(address: str, network: str | None) -> tuple[Group, ...]:
    prefix = prefix_of(address)
    return (
        Group("hop", (address,)),
        *([_alone("hop-prefix", prefix)] if prefix else []),
        *([_alone("hop-network", network)] if network else []),
    )


@lru_cache(maxsize=65536)
def _link(one: str, other: str) -> Group:
    return Group("link", (one, other))


@lru_cache(maxsize=65536)
def prefix_of(address: str) -> str | None:
    """The /24 or /48 around an address; ``None`` for what is no address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    length = 24 if ip.version == 4 else 48
    return str(ipaddress.ip_network((int(ip), ip.max_prefixlen), strict=False).supernet(new_prefix=length))


def _numbers(rows: Iterable[Answer]) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in rows:
        if row.status is AnswerStatus.OK:
            measured = row.metrics
            for name, told in _TOLD.get(row.layer, ()):
                value = measured.get(name)
                if type(value) in _NUMBERS:  # a truth value is none
                    found[told] = float(value)  # type: ignore[arg-type] # as was just seen
    return found
