"""What is tested: blocks of a plan, made for an incident."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from orchestrator.diagnosis.subjects import Kind, Subject
from orchestrator.diagnosis.vantage import is_outside
from orchestrator.model import Agent, Json, PathDetails

# How many agents resolve a name beside a test of what it stands for, and where the name is in question.
FEW, SEVERAL, NAMES = 4, 6, 8
SIGNATURES = 2
PAGES = 2
# The block with the ways to what fails.
WAYS = "path"
WEB_LIMIT = 10  # seconds


@dataclass(frozen=True, slots=True)
class Block:
    """One kind of test. ``main`` is what the incident is about; the others are to tell where it breaks."""

    name: str
    type: str
    targets: tuple[str, ...]
    agents: tuple[str, ...]
    options: Mapping[str, Json] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()
    warn: tuple[str, ...] = ()
    path_details: PathDetails | None = None
    main: bool = False

    def asked(self, targets: Sequence[str], agents: Sequence[Agent]) -> Block:
        """The same test of these targets from these agents."""
        return replace(self, targets=tuple(targets), agents=ids(agents))


@dataclass(frozen=True, slots=True)
class Extras:
    """What may be asked for besides: name servers to ask, whole pages to load."""

    dns_servers: tuple[str, ...] = ()
    pages: bool = False


# A block, its targets, from whom.
Ask = Callable[[Block, Sequence[str], Sequence[Agent]], None]


def ids(agents: Sequence[Agent]) -> tuple[str, ...]:
    """Their ids."""
    return tuple(agent.id for agent in agents)


_WEB = Block(
    "web",
    "http-server",
    (),
    (),
    MappingProxyType({"verifyCertificate": True, "httpTimeLimit": WEB_LIMIT}),
    layers=("http-server", "network", "path-vis"),
    # Loss is no failure: where probes are filtered all of them are lost, and HTTP answers all the same.
    expect=(
        "http-server.responseCode < 400",
        "http-server.waitTime < 3 s",
        "http-server.totalTime < 8 s",
    ),
    warn=("network.loss < 5",),
    path_details=False,
    main=True,
)
_PACKETS = Block("reach", "agent-to-server", (), (), expect=("network.loss < 5",), path_details=False)
_NAMES = Block("names", "dns-trace", (), (), expect=("dns-trace.finalQueryTime < 5 s",))
_SIGNATURES = Block("signatures", "dnssec", (), (), warn=("dnssec.isValid == true",))
_SERVERS = Block(
    "name servers", "dns-server", (), (), layers=("dns-server",), expect=("dns-server.resolutionTime < 5 s",)
)
_PAGE = Block("page", "page-load", (), (), layers=("page-load",), warn=("page-load.pageLoadTime < 10 s",))
_AGENTS = Block(
    "to the agent",
    "agent-to-agent",
    (),
    (),
    MappingProxyType({"direction": "bidirectional"}),
    expect=("network.loss < 5",),
    path_details=False,
    main=True,
)


def first_wave(
    subjects: Sequence[Subject], controls: Sequence[Subject], agents: Sequence[Agent], extras: Extras
) -> tuple[Block, ...]:
    """What is asked at once of ``agents``, which are in the order in which they tell most."""
    outside = [one for one in agents if is_outside(one)] or list(agents)
    of = {kind: [one for one in (*subjects, *controls) if one.kind is kind] for kind in Kind}
    found: list[Block] = []

    def ask(block: Block, targets: Sequence[str], from_whom: Sequence[Agent]) -> None:
        targets = tuple(dict.fromkeys(targets))
        if targets and from_whom:
            found.append(block.asked(targets, from_whom))

    ask(_WEB, _texts(of[Kind.URL]), agents)
    ask(
        replace(_WEB, name="web of the name"),
        [f"https://{one.host}/" for one in of[Kind.NAME]],
        agents[:SEVERAL],
    )
    ask(replace(_PACKETS, options=_TCP, main=True), _texts(of[Kind.PORT]), agents)
    ask(replace(_PACKETS, name="ping", options=_ICMP, main=True), _texts(of[Kind.ADDRESS]), agents)
    # A host need not serve there: what does not answer is worth a word, no more.
    https = replace(_PACKETS, name="port 443", options=_TCP, expect=(), warn=("network.loss < 5",))
    ask(https, [_with_port(one.host, 443) for one in of[Kind.ADDRESS]], agents[:FEW])
    known = _texts(of[Kind.RECORD])
    ask(replace(_NAMES, main=True), known, outside[:NAMES])
    ask(
        replace(_NAMES, name="name", main=True),
        [f"{one.host} A" for one in of[Kind.NAME] if f"{one.host} A" not in known],
        outside[:SEVERAL],
    )
    behind = [f"{one.host} A" for kind in (Kind.URL, Kind.PORT) for one in of[kind] if one.resolves]
    asked = {target for block in found for target in block.targets}
    ask(
        replace(_NAMES, name="resolution"),
        [one for one in behind if one not in asked],
        outside[:FEW],
    )
    ask(
        _SIGNATURES,
        [*known, *(f"{one.host} A" for one in of[Kind.NAME])],
        outside[:SIGNATURES],
    )
    if extras.dns_servers:
        ask(with_servers(extras.dns_servers), known, outside[:FEW])
    if extras.pages:
        ask(_PAGE, _texts(of[Kind.URL]), agents[:PAGES])
    _ask_agents(ask, subjects, controls, agents)
    return tuple(found)


def _ask_agents(
    ask: Ask, subjects: Sequence[Subject], controls: Sequence[Subject], agents: Sequence[Agent]
) -> None:
    targets = [one.agent for one in subjects if one.agent is not None]
    own = {one.id for one in targets}
    ask(_AGENTS, [one.id for one in targets], [one for one in agents if one.id not in own][:NAMES])
    sites = [one.text for one in controls if one.kind is Kind.URL]
    ask(replace(_WEB, name="from the agent", main=False), sites, targets)


def path_block(subjects: Sequence[Subject], agents: Sequence[Agent]) -> Block | None:
    """The way to what is behind the targets, with its hops; ``None`` where there is none to be seen."""
    targets = [
        _with_port(one.host, one.port) if one.port else one.host
        for one in subjects
        if one.kind in {Kind.URL, Kind.PORT, Kind.ADDRESS} and one.host
    ]
    if not targets or not agents:
        return None
    options = _TCP if all(one.port for one in subjects if one.host) else _ICMP
    block = replace(_PACKETS, name=WAYS, options={**options, "numPathTraces": 3}, path_details=True)
    return block.asked(tuple(dict.fromkeys(targets)), agents)


def with_servers(servers: Sequence[str]) -> Block:
    """Asks these name servers."""
    return replace(_SERVERS, options={"dnsServers": [*servers]})


def _texts(subjects: Sequence[Subject]) -> list[str]:
    return [one.text for one in subjects]


def _with_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_TCP: Mapping[str, Json] = MappingProxyType({"protocol": "tcp"})
_ICMP: Mapping[str, Json] = MappingProxyType({"protocol": "icmp"})
