"""One agent looking at one target in one round: how far it is, and what is in the way."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from functools import cached_property

from orchestrator.simulator.catalog import Definition
from orchestrator.simulator.draws import lognormal, number, share, source
from orchestrator.simulator.effects import PATHLESS, WHOLE, Broken, Trouble, broken_of
from orchestrator.simulator.fleet import SimAgent
from orchestrator.simulator.messages import JsonObject
from orchestrator.simulator.paths import distance
from orchestrator.simulator.settings import Settings
from orchestrator.simulator.topology import Router, given, way


@dataclass(frozen=True, slots=True)
class Measured:
    """One row without its agent and dates. ``metrics`` is empty when the measurement failed."""

    metrics: JsonObject
    trouble: Trouble | None = None
    server: str | None = None
    server_id: int | None = None
    facts: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """One agent looking at one target in one round.

    ``server`` is the name server that it looks at, where a test has some. ``since`` are the seconds from the
    first test of the world to the round's beginning, ``visit`` is how many tests of the same before this one.
    """

    settings: Settings
    definition: Definition
    agent: SimAgent
    target: SimAgent | None
    round_number: int
    server: str | None = None
    since: float = 0.0
    visit: int = 0

    def words(self, *more: object) -> tuple[object, ...]:
        return (self.definition.type, *self.definition.subject, self.agent.id, self.round_number, *more)

    def rng(self, *more: object) -> random.Random:
        return source(self.settings.seed, *self.words(*more))

    @property
    def troubled(self) -> bool:
        """Whether this is one of the slow and lossy looks."""
        lot = share(self.settings.seed, *self.words("trouble"))
        return self.definition.host.startswith(("slow.", "lossy.")) or lot < self.settings.trouble

    @cached_property
    def broken(self) -> Broken:
        """What the culprits of the world do to it."""
        return broken_of(self) if self.settings.culprits else WHOLE

    @property
    def sights(self) -> tuple[Scene, ...]:
        """Itself, or its look at each name server."""
        servers = self.definition.dns_servers
        return tuple(self.at(server) for server in servers) if servers else (self,)

    @property
    def silenced(self) -> bool:
        """Whether no row of it ever comes."""
        return bool(self.settings.culprits) and all(sight.broken.silent for sight in self.sights)

    @property
    def reached(self) -> str:
        """The host that is connected to."""
        if self.server is not None and self.settings.shared:
            return self.server.rpartition(":")[0] or self.server
        return self.definition.host

    @property
    def named(self) -> tuple[str, ...]:
        """The parts of the test's name, as people and tools write them: ``plan / block / target [mark]``."""
        name = self.definition.name
        if name.endswith("]"):
            name = name.rpartition(" [")[0]
        return tuple(part.strip() for part in name.split(" / "))

    def at(self, server: str) -> Scene:
        """The same look at one name server."""
        return replace(self, server=server)

    def chance(self, *more: object) -> tuple[object, ...]:
        """The words of a lot that falls anew in every run, where the world has noise."""
        noise = self.settings.noise
        anew = () if noise is None or not noise.seed else (noise.seed, self.visit)
        return self.words(*more, *anew)

    @cached_property
    def ways(self) -> tuple[tuple[Router, ...], ...]:
        """The routers of each trace, the way of the connection itself first; none where no path is taken."""
        definition = self.definition
        if not self.settings.shared or definition.type in PATHLESS:
            return ()
        which = 0 if self.target is not None else given(self.agent, self.reached)
        return tuple(
            way(self.settings.seed, self.agent, self.reached, self.target, flow, which)
            for flow in range(max(1, definition.traces))
        )

    @cached_property
    def round_trip(self) -> float:
        """Milliseconds there and back: light in fibre with a detour, and the last mile."""
        return self.broken.trip.of(self.usual_trip)

    @property
    def usual_trip(self) -> float:
        """As long as nothing on the way is broken."""
        kilometres = distance(self.settings.seed, self.agent, self.reached, self.target)
        last_mile = 1.0 + 5.0 * share(self.settings.seed, "last mile", self.agent.id)
        wobble = 0.95 + 0.1 * share(self.settings.seed, *self.words("round trip"))
        slow = 6.0 if self.troubled and not self.definition.host.startswith("lossy.") else 1.0
        return (kilometres / 100.0 * 1.4 + last_mile) * wobble * slow * self.noise("trip")

    def waited(self, milliseconds: float) -> float:
        """A time that the server takes, with what makes it slow."""
        return self.broken.wait.of(milliseconds * self.noise("wait"))

    def noise(self, name: str) -> float:
        """By how much a time differs from its usual value in this run."""
        noise = self.settings.noise
        if noise is None or not noise.seed:
            return 1.0
        seed, host = noise.seed, self.definition.host
        factor = lognormal(seed, 1.0, noise.own, name, *self.words(), self.visit)
        factor *= lognormal(seed, 1.0, noise.common, "common", name, host, self.visit)
        lot = share(seed, "spike", name, *self.words(), self.visit)
        return factor * (2.0 + 300.0 * lot) if lot < noise.spikes else factor

    @property
    def server_ip(self) -> str:
        """An address set aside for documentation (RFC 5737), or that of the agent aimed at."""
        if self.target is not None:
            return self.target.address
        return self._address(self.reached)

    @property
    def resolved(self) -> str:
        """What the name of a DNS test is resolved to."""
        return self._address(self.definition.host)

    def _address(self, host: str) -> str:
        """Where paths are shared, some hosts have two addresses, and each agent is given one."""
        lot = number(0, "address", host)
        which = given(self.agent, host) if self.settings.shared else 0
        return f"{('203.0.113', '198.51.100', '192.0.2')[lot % 3]}.{(lot // 3 + which) % 254 + 1}"

    @property
    def servers(self) -> tuple[str, ...]:
        """What is measured over the network, as its rows name it: the target, or each name server."""
        definition = self.definition
        if definition.dns_servers:
            return tuple(f"{server}:53" for server in definition.dns_servers)
        host = self.target.address if self.target is not None else definition.host
        return (f"{host}:{definition.port}" if definition.port else host,)
