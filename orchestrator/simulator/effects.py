"""What culprits do to one agent's look at one target. A pure function of the scene.

The layers agree: what cannot be resolved is not connected to, what is dead has no certificate to refuse, and
a web server that is down still has a name. Lost packets are seen where packets are counted; what is slow is
the round trip where agents or hops are to blame, and the server's wait where the target is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.simulator.catalog import LAYERS
from orchestrator.simulator.culprits import AGENT_KINDS, is_agent, is_router
from orchestrator.simulator.draws import share
from orchestrator.simulator.settings import Culprit

if TYPE_CHECKING:
    from orchestrator.simulator.scene import Scene

HOP_KINDS: Final = ("hop", "hop-network")
NAMES: Final = frozenset({"dns-server", "dns-trace", "dnssec"})
# Types whose packets go to many servers, over ways that nobody sees.
PATHLESS: Final = frozenset({"dns-trace", "dnssec"})
_WEB: Final = frozenset({"http-server", "page-load", "web-transactions", "api"})
_ANSWERS: Final = _WEB | {"sip-server"}
_RECEIVES: Final = _ANSWERS | {"ftp-server"}
_BY_ID: Final = frozenset({"agent-to-agent", "voice"})
_ALL: Final = 100.0
_PACKETS: Final = ("network", "path-vis")
# Errors in the order in which a connection meets them: the first hides the others.
PHASES: Final = ("dns", "connect", "ssl", "http", "receive")
_PHASE: Final = {"dns": "dns", "dead": "connect", "tls": "ssl", "http": "http", "receive": "receive"}
_REASONS: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a measurement failed: the phase (of :data:`PHASES`) and the text that is shown."""

    phase: str
    text: str
    code: int = 0

    @property
    def word(self) -> str:
        """The type of the error as rows show it."""
        return self.phase.upper() if self.phase in {"ssl", "http"} else self.phase.capitalize()


@dataclass(frozen=True, slots=True)
class Change:
    """How a time grows: by a factor, and by milliseconds."""

    times: float = 1.0
    plus: float = 0.0

    def of(self, milliseconds: float) -> float:
        return milliseconds * self.times + self.plus

    def then(self, other: Change) -> Change:
        return Change(self.times * other.times, self.plus + other.plus)


@dataclass(frozen=True, slots=True)
class Hit:
    """A culprit that this look meets, by its position in the settings.

    ``flows`` is the share of its traces that go through it, ``measured`` whether that of the connection does.
    ``names``: it is about the name that a DNS test resolves, not about whom it asks.
    """

    index: int
    culprit: Culprit
    flows: float = 1.0
    measured: bool = True
    names: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """What all hits come to. ``loss`` is percent of packets; at 100 nothing comes back.

    ``trip`` is the round trip's growth, ``wait`` that of the server's time. ``seen`` are the hits that show,
    each with the layers in which.
    """

    hits: tuple[Hit, ...] = ()
    silent: bool = False
    trouble: Trouble | None = None
    loss: float = 0.0
    trip: Change = Change()
    wait: Change = Change()
    seen: tuple[tuple[Hit, tuple[str, ...]], ...] = ()


WHOLE: Final = Broken()


def broken_of(scene: Scene) -> Broken:
    """What the culprits of the world do to this look."""
    hits = tuple(
        hit
        for index, culprit in enumerate(scene.settings.culprits)
        if culprit.since <= scene.since < culprit.until and (hit := _hit(scene, index, culprit)) is not None
    )
    if not hits:
        return WHOLE
    silent = any(hit.culprit.effect == "silent" and hit.measured for hit in hits)
    troubles = [found for hit in hits if (found := _trouble(scene, hit)) is not None]
    trouble = min(troubles, key=lambda one: PHASES.index(one.phase), default=None)
    kept = 1.0
    trip, wait = Change(), Change()
    for hit in hits:
        kept *= 1.0 - _lost(scene, hit)
        if hit.culprit.effect == "slow" and hit.measured:
            if _slows_trip(scene, hit):
                trip = trip.then(change_of(hit.culprit))
            else:
                wait = wait.then(change_of(hit.culprit))
    loss = _ALL if kept < 1e-9 else _ALL * (1.0 - kept)
    made = Broken(hits, silent, trouble, loss, trip, wait)
    seen = tuple((hit, layers) for hit in hits if (layers := _layers(scene, hit, made)))
    return Broken(hits, silent, trouble, loss, trip, wait, seen)


# --- what is touched


def _hit(scene: Scene, index: int, culprit: Culprit) -> Hit | None:
    names = False
    flows, measured = 1.0, True
    for kind, value in culprit.parts():
        if kind in AGENT_KINDS:
            touched = is_agent(kind, value, scene.agent)
        elif kind in HOP_KINDS:
            through = [any(is_router(kind, value, one) for one in way[1:]) for way in scene.ways]
            touched = any(through)
            flows, measured = sum(through) / max(1, len(through)), through[:1] == [True]
        elif kind == "block":
            touched = is_planned(scene, kind, value)
        else:
            touched, names = _at_target(scene, kind, value)
        if not touched:
            return None
    lot = share(scene.settings.seed, "culprit", index, *scene.chance("culprit"))
    return Hit(index, culprit, flows, measured, names) if lot < culprit.share else None


# Kinds of which only a plan knows what there is.
PLANNED: Final = ("target", "host", "block", "server-ip", "dns-answer")


def is_planned(scene: Scene, kind: str, value: str) -> bool:
    """Whether what is looked at is what one of the ``PLANNED`` kinds and a value mean."""
    if kind == "block":
        return value == scene.definition.type or value in scene.named[:-1]
    return _at_target(scene, kind, value)[0]


def names_of(scene: Scene, kind: str) -> tuple[str, ...]:
    """What people would call it as a value of such a kind."""
    definition = scene.definition
    if kind == "block":
        return (definition.type, *scene.named[1:-1])
    if kind in {"server-ip", "dns-answer"}:
        return (scene.server_ip,)
    if kind == "host":
        return (definition.host,)
    return (definition.subject[0], definition.host, *scene.named[-1:])


def _at_target(scene: Scene, kind: str, value: str) -> tuple[bool, bool]:
    """Whether it is met, and whether as the name that a DNS test resolves."""
    definition, asked = scene.definition, value.casefold()
    resolves = definition.type in NAMES
    if kind in {"server-ip", "dns-answer"}:
        if resolves and kind == "dns-answer":
            return value == scene.resolved, True
        return value == scene.server_ip and (not resolves or scene.server is not None), False
    if scene.server is not None and asked in {scene.reached.casefold(), scene.server.casefold()}:
        return True, False
    own = {definition.host.casefold()}
    if scene.target is not None:
        own |= {scene.target.name.casefold(), scene.target.address, str(scene.target.id)}
    elif kind == "target":
        own |= {word.casefold() for word in definition.subject}
        own |= {
            f"{definition.host}:{definition.port}".casefold(),
            *(one.casefold() for one in scene.named[-1:]),
        }
    return asked in own, resolves


# --- what it does


def _trouble(scene: Scene, hit: Hit) -> Trouble | None:
    culprit, kind = hit.culprit, scene.definition.type
    phase = _PHASE.get(culprit.effect)
    if phase is None or not hit.measured or not _applies(scene, hit):
        return None
    host = scene.reached
    text = {
        "dns": f"Could not resolve host: {scene.definition.host}",
        "connect": f"Connection to {host} timed out after 5000 milliseconds",
        "ssl": "SSL certificate problem: certificate has expired",
        "http": f"HTTP/1.1 {culprit.amount:.0f} {_REASONS.get(int(culprit.amount), '')}".rstrip(),
        "receive": "Operation timed out after 5000 milliseconds with 1448 out of 48211 bytes received",
    }[phase]
    if kind in NAMES:
        text = (
            f"SERVFAIL: no answer for {scene.definition.host}"
            if phase == "dns"
            else f"No response from {host}"
        )
    return Trouble(phase, culprit.text or text, int(culprit.amount) if phase == "http" else 0)


def _applies(scene: Scene, hit: Hit) -> bool:
    """Whether this kind of test can meet the effect at all."""
    definition = scene.definition
    return {
        "dead": not hit.names,
        "dns": definition.type not in _BY_ID and not _is_address(definition.host),
        "tls": definition.type in _RECEIVES and definition.secure,
        "http": definition.type in _ANSWERS,
        "receive": definition.type in _RECEIVES,
        "loss": not hit.names and not {"network", "rtp-server"}.isdisjoint(definition.layers),
        "slow": definition.type != "dnssec",
        "silent": True,
    }[hit.culprit.effect]


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _lost(scene: Scene, hit: Hit) -> float:
    """The share of packets that it loses."""
    if hit.culprit.effect not in {"dead", "loss"} or hit.names:
        return 0.0
    if hit.culprit.effect == "dead" and scene.definition.type in PATHLESS:
        return 0.0
    return (1.0 if hit.culprit.effect == "dead" else hit.culprit.amount / 100.0) * hit.flows


def _slows_trip(scene: Scene, hit: Hit) -> bool:
    """Agents and hops are slow by distance; a target only where nothing but packets is seen of it."""
    by_way = hit.culprit.kind in (*AGENT_KINDS, *HOP_KINDS)
    return by_way or LAYERS[scene.definition.type][0] in {"network", "rtp-server"}


def change_of(culprit: Culprit) -> Change:
    """What a slow culprit does to a time."""
    return Change(times=culprit.amount) if culprit.unit == "x" else Change(plus=culprit.amount)


def _layers(scene: Scene, hit: Hit, made: Broken) -> tuple[str, ...]:
    """The layers in which a hit shows, beside what hides it."""
    layers, effect = scene.definition.layers, hit.culprit.effect
    if made.silent:
        return layers if effect == "silent" and hit.measured else ()
    phase = None if made.trouble is None else made.trouble.phase
    if not _applies(scene, hit) or not (hit.measured or effect in {"dead", "loss"}):
        return ()
    packets = tuple(one for one in layers if one in {*_PACKETS, "rtp-server"})
    own = tuple(one for one in layers if one not in _PACKETS) or layers
    if effect in {"loss", "slow"}:
        return _without_error(scene, hit, made, packets, own)
    if effect == "dead":
        shown = layers if hit.measured else packets
        return () if phase == "dns" else shown
    if phase != _PHASE[effect]:
        return ()
    # A name server that cannot tell the name is reached all the same.
    return layers if effect == "dns" and scene.definition.type not in NAMES else own


def _without_error(
    scene: Scene, hit: Hit, made: Broken, packets: tuple[str, ...], own: tuple[str, ...]
) -> tuple[str, ...]:
    """Where lost packets and long times are seen."""
    phase = None if made.trouble is None else made.trouble.phase
    counted = phase != "dns" and made.loss < _ALL
    if hit.culprit.effect == "loss":
        return tuple(one for one in packets if one != "path-vis") if counted else ()
    if _slows_trip(scene, hit):
        return scene.definition.layers if phase is None else packets if counted else ()
    return own if phase in {None, "http"} else ()
