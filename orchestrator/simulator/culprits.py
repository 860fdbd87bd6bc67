"""What can be broken on purpose: how it is written, which kinds and effects there are, and that it exists."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from orchestrator.simulator.fleet import SimAgent, fleet
from orchestrator.simulator.settings import MEDIANS, Culprit, Noise, Settings
from orchestrator.simulator.topology import Router, networks, routers

# kind -> what its value is
KINDS: Final = MappingProxyType(
    {
        "target": "a host, URL or server as it is tested, or the last part of a test's name",
        "host": "a host name or address, whatever tests it",
        "agent": "an agent's name or id",
        "country": "a country code of agents",
        "network": "a network of agents, or its number: AS 64496",
        "agent-type": "cloud, enterprise or enterprise-cluster",
        "location": "a location of agents",
        "server-ip": "the address that an agent reaches; where a host has two, each agent gets one",
        "dns-answer": "the address that a host's name is resolved to",
        "hop": "a router's name or address",
        "hop-network": "a network of routers, or its number: AS 64602",
        "block": "a test type, or a part of a test's name",
    }
)
AGENT_KINDS: Final = ("agent", "country", "network", "agent-type", "location")
PAIRED: Final = "target"
# effect -> what its amount is, or nothing
EFFECTS: Final = MappingProxyType(
    {
        "dead": ("", "nothing comes back: connections time out, traces end before it"),
        "loss": ("30%", "so many packets are lost"),
        "slow": ("x3 or 80ms", "the round trip of agents and hops, else the server's wait, takes longer"),
        "dns": ("", "names cannot be resolved"),
        "tls": ("", "the certificate is refused"),
        "http": ("503", "the server answers with this code"),
        "receive": ("", "the answer breaks off"),
        "silent": ("", "no row ever comes"),
    }
)
WITH_TEXT: Final = frozenset({"dead", "dns", "tls", "http", "receive"})
_TYPES: Final = ("cloud", "enterprise", "enterprise-cluster")

_START = re.compile(rf"(?:^|,)({'|'.join(map(re.escape, KINDS))})=")
_EFFECT = re.compile(
    rf":({'|'.join(EFFECTS)})(?:=([^,]*))?((?:,(?:share|from|until)=[^,]*)*)(?:,text=(.*))?$"
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}


def parse_culprit(text: str) -> Culprit:
    """``KIND=VALUE[,target=VALUE]:EFFECT[=AMOUNT][,share=S][,from=T][,until=T][,text=TEXT]``.

    Raises ValueError that says what was expected.
    """
    found = _EFFECT.search(text)
    starts = list(_START.finditer(text[: found.start()] if found else text))
    if not starts or starts[0].start() != 0:
        word = re.split(r"[=:]", text)[0]
        raise ValueError(
            f"culprit '{text}': '{word}' is nothing that can be broken{near(word, KINDS)}; "
            "it is written KIND=VALUE:EFFECT, such as hop=tr2-san-jose-0:dead or agent=hq-london:loss=20%"
        )
    if found is None:
        word = re.split(r"[=,]", text.rpartition(":")[2])[0] if ":" in text else ""
        said = f"'{word}' is no effect{near(word, EFFECTS)}" if word else "its effect is missing"
        raise ValueError(f"culprit '{text}': {said}; the effects are {', '.join(EFFECTS)}")
    ends = [one.start() for one in starts[1:]] + [found.start()]
    parts = [(one[1], text[one.end() : end]) for one, end in zip(starts, ends, strict=True)]
    given = dict(piece.split("=", 1) for piece in found[3].split(",") if piece)
    try:
        return made(parts, found[1], found[2], given, found[4])
    except ValueError as error:
        raise ValueError(f"culprit '{text}': {error}") from error


def made(
    parts: list[tuple[str, str]], effect: str, amount: str | None, given: Mapping[str, str], text: str | None
) -> Culprit:
    """A culprit of its parts, read and checked. Raises ValueError that says what was expected."""
    parts = sorted(parts, key=lambda part: part[0] == PAIRED)
    for kind, value in parts:
        if kind not in KINDS:
            raise ValueError(f"unknown kind '{kind}'{near(kind, KINDS)}")
        if not value.strip():
            raise ValueError(f"{kind} has no value: {KINDS[kind]}")
    kinds = [kind for kind, _ in parts]
    if len(kinds) > 1 and not (len(kinds) == 2 and kinds[0] in AGENT_KINDS and kinds[1] == PAIRED):
        raise ValueError(f"only {', '.join(AGENT_KINDS)} can be paired, each with a target")
    if effect not in EFFECTS:
        raise ValueError(f"unknown effect '{effect}'{near(effect, EFFECTS)}")
    if text is not None and effect not in WITH_TEXT:
        raise ValueError(f"{effect} has no text; {', '.join(sorted(WITH_TEXT))} have")
    number, unit = _amount(effect, amount)
    share = _share(given["share"]) if "share" in given else 1.0
    since, until = _seconds("from", given.get("from", "0")), _seconds("until", given.get("until", ""))
    if until <= since:
        raise ValueError("until must come after from")
    values = tuple(value.strip() for _, value in parts)
    return Culprit("*".join(kinds), values, effect, number, unit, text, share, since, until)


def _amount(effect: str, told: str | None) -> tuple[float, str]:
    wanted = EFFECTS[effect][0]
    if not wanted:
        if told:
            raise ValueError(f"{effect} has no amount")
        return 0.0, ""
    match = _AMOUNTS[effect].fullmatch((told or "").strip())
    if match is None:
        raise ValueError(f"{effect} must be like {effect}={wanted.split(' ')[0]}, not '{told or ''}'")
    number = float(match["number"])
    if effect == "loss":
        if not 0.0 < number < 100.0:
            raise ValueError(
                "loss must lie between 0% and 100%; where nothing comes back, the effect is dead"
            )
        return number, "%"
    if effect == "http":
        return number, ""
    unit = "x" if match["times"] else "ms"
    return (number * 1000.0 if match["unit"] == "s" else number), unit


_AMOUNTS: Final = {
    "loss": re.compile(r"(?P<number>\d+(?:\.\d+)?) ?%?"),
    "http": re.compile(r"(?P<number>[45]\d\d)"),
    "slow": re.compile(r"(?P<times>x)? ?(?P<number>\d+(?:\.\d+)?)(?(times)| ?(?P<unit>ms|s))"),
}


def _share(told: str) -> float:
    percent = told.endswith("%")
    try:
        share = float(told.removesuffix("%")) / (100.0 if percent else 1.0)
    except ValueError:
        share = -1.0
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share must be a number over 0 and up to 1, not '{told}'")
    return share


def _seconds(name: str, told: str) -> float:
    if not told:
        return float("inf")
    match = _DURATION.fullmatch(told)
    if match is None:
        raise ValueError(f"{name} must be a time such as 90s or 10m, not '{told}'")
    return float(match[1]) * _SECONDS[match[2]]


# --- what there is to break


def is_agent(kind: str, value: str, agent: SimAgent) -> bool:
    """Whether an agent is, or belongs to, what a kind and value mean."""
    match kind:
        case "agent":
            return value in {str(agent.id), agent.name}
        case "country":
            return value.upper() == agent.country
        case "network":
            return is_network(value, agent.network)
        case "agent-type":
            return value == agent.type
        case "location":
            place = agent.location.casefold()
            return value.casefold() in {place, place.removesuffix(" area")}
    return False


def is_network(value: str, network: str) -> bool:
    """By its whole text, its name, or its number with or without AS."""
    name, _, number = network.rstrip(")").rpartition(" (AS ")
    return value in {network, name, number, f"AS {number}", f"AS{number}"}


def is_router(kind: str, value: str, router: Router) -> bool:
    """Whether a router is, or belongs to, what a kind and value mean."""
    if kind == "hop":
        return value in {router.name, router.address}
    return kind == "hop-network" and is_network(value, router.network)


def problems_of(settings: Settings) -> list[str]:
    """What culprits name that is not there, each with what was probably meant."""
    agents = fleet(settings) if settings.culprits else ()
    found = []
    for culprit in settings.culprits:
        for kind, value in culprit.parts():
            known = dict(_known(kind, agents))
            if known and not any(known[name](value) for name in known):
                where = f"culprit {culprit.kind}={','.join(culprit.value)}"
                found.append(f"{where}: there is no {kind} '{value}'{near(value, known)}")
    return found


def _known(kind: str, agents: Iterable[SimAgent]) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """By name, whether a value means it; nothing for kinds that only a plan knows."""
    if kind in AGENT_KINDS:
        for agent in agents:
            name = {
                "agent": agent.name,
                "country": agent.country,
                "network": agent.network,
                "agent-type": agent.type,
                "location": agent.location,
            }[kind]
            yield name, lambda value, one=agent: is_agent(kind, value, one)  # type: ignore[misc]
    if kind in {"hop", "hop-network"}:
        for router in routers(agents):
            name = router.name if kind == "hop" else router.network
            yield name, lambda value, one=router: is_router(kind, value, one)  # type: ignore[misc]


def broken_world(
    seed: int, culprits: Iterable[str], noise: int | None, world: Settings | None = None
) -> Settings:
    """The usual world with this ``seed``, or ``world``, with what is broken in it besides.

    Raises ValueError with a line for each thing that is wrong.
    """
    base = Settings(seed=seed) if world is None else replace(world, seed=seed)
    found, problems = [*base.culprits], []
    for text in culprits:
        try:
            found.append(parse_culprit(text))
        except ValueError as error:
            problems.append(str(error))
    quiet = base.noise if noise is None else replace(base.noise or Noise(), seed=noise)
    broken = replace(base, culprits=tuple(found), noise=quiet)
    if problems := [*problems, *problems_of(broken)]:
        raise ValueError("\n".join(problems))
    return broken


def listing(settings: Settings) -> Iterator[str]:
    """What can be broken in this world, and how that is written, for people."""
    yield "KIND=VALUE[,target=VALUE]:EFFECT[=AMOUNT][,share=0.5][,from=30s][,until=10m][,text=TEXT]"
    yield ""
    yield "kinds"
    yield from _columns(KINDS.items())
    yield "effects"
    shown = (
        (f"{name}={amount.replace(' or ', f' or {name}=')}" if amount else name, text)
        for name, (amount, text) in EFFECTS.items()
    )
    yield from _columns(shown)
    agents = fleet(replace(settings, topology="shared"))
    yield "agents"
    yield from _columns(
        (one.name, f"{one.country}, {one.type}, {one.location}, {one.network}") for one in agents
    )
    yield "networks of agents"
    yield from (f"  {name}" for name in dict.fromkeys(one.network for one in agents))
    yield "hops"
    yield from _columns((one.name, f"{one.address}, {one.network}") for one in routers(agents))
    yield "networks of hops"
    yield from (f"  {name}" for name in networks())
    yield "test types, for block"
    yield from (f"  {name}" for name in MEDIANS)


def _columns(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    held = list(rows)
    width = max((len(name) for name, _ in held), default=0)
    yield from (f"  {name:<{width}}  {text}" for name, text in held)


def near(word: str, known: Iterable[str]) -> str:
    """``, did you mean ...?``, or nothing."""
    by_fold = {name.casefold(): name for name in known}
    asked = word.casefold()
    found = difflib.get_close_matches(asked, by_fold, 1) or [
        name for name in by_fold if asked and asked in name
    ]
    return f", did you mean '{by_fold[found[0]]}'?" if found else ""
