"""How far apart things are in the simulated world, and which way packets go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.simulator.catalog import Definition
from orchestrator.simulator.draws import number, source
from orchestrator.simulator.fleet import SimAgent
from orchestrator.simulator.messages import JsonObject


class Place(NamedTuple):
    """Where targets may stand."""

    city: str
    latitude: float
    longitude: float


HOSTING = (
    Place("Frankfurt", 50.11, 8.68),
    Place("Amsterdam", 52.37, 4.90),
    Place("Ashburn", 39.04, -77.49),
    Place("San Jose", 37.34, -121.89),
    Place("Singapore", 1.35, 103.82),
)
_EARTH_KM = 6371.0


@dataclass(frozen=True, slots=True)
class Trace:
    """One way through: its id, the number of hops, and how much slower than the best it is."""

    id: str
    hops: int
    stretch: float


def distance(seed: int, agent: SimAgent, host: str, target: SimAgent | None) -> float:
    """Kilometres from the agent to the target, along the surface."""
    place = HOSTING[number(seed, "hosting", host) % len(HOSTING)]
    there = (place.latitude, place.longitude)
    if target is not None:
        there = (target.latitude, target.longitude)
    here_lat, there_lat = math.radians(agent.latitude), math.radians(there[0])
    turn = math.radians(there[1] - agent.longitude)
    cosine = math.sin(here_lat) * math.sin(there_lat) + math.cos(here_lat) * math.cos(there_lat) * math.cos(
        turn
    )
    return _EARTH_KM * math.acos(max(-1.0, min(1.0, cosine)))


def traces(seed: int, definition: Definition, agent: SimAgent, target: SimAgent | None) -> list[Trace]:
    """The ways of one agent to one target, the same in every round."""
    kilometres = distance(seed, agent, definition.host, target)
    lot = number(seed, "path", definition.host, agent.id)
    shortest = 5 + round(min(kilometres, 12_000.0) / 1_200) + lot % 3
    return [
        Trace(
            id=str(lot // 1000 * 1000 + index),
            hops=shortest + (1 if index and lot >> index & 1 else 0),
            stretch=1.0 + 0.03 * index,
        )
        for index in range(definition.traces)
    ]


def hops(seed: int, trace: Trace, agent: SimAgent, last: str, round_trip: float) -> list[JsonObject]:
    """The hops of one trace; a number that is missing did not answer."""
    rng = source(seed, "hops", trace.id, agent.id)
    found: list[JsonObject] = []
    for position in range(1, trace.hops + 1):
        final = position == trace.hops
        # Routers in the middle often keep silent; the first one and the target do not.
        if not final and position > 1 and rng.random() < 0.12:
            continue
        address = last if final else f"198.18.{rng.randrange(256)}.{rng.randrange(1, 255)}"
        found.append(
            {
                "hop": position,
                "ipAddress": address,
                "prefix": address.rpartition(".")[0] + ".0/24",
                "rdns": address if final else f"core-{rng.randrange(1, 99)}.transit.example.net",
                "network": agent.network if position <= trace.hops // 2 else "Example Hosting (AS 64500)",
                "responseTime": round(round_trip * trace.stretch * position / trace.hops),
                "location": agent.location if position <= trace.hops // 2 else "Hosting Area",
            }
        )
    return found
