"""Routers that agents share: access, aggregation, transit (in a region, beside the host), exchange, edge.

Agents of one network go out through the same routers. Each stage is two routers wide: the aggregation spreads
the traces of one agent over both, the stages behind it spread agents, networks and hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from orchestrator.simulator.draws import number
from orchestrator.simulator.fleet import LOCATIONS, SimAgent
from orchestrator.simulator.paths import HOSTING

REGIONS: Final = ("emea", "amer", "apac")
_PROVIDERS, _WIDE = 4, 2
_FIRST_NETWORK, _NETWORKS = 64496, 16
# Blocks of /24 within 198.19.0.0/16 (RFC 2544): one for each network and place.
_BACKBONES = _NETWORKS * len(REGIONS)
_EXCHANGES = _BACKBONES + _PROVIDERS * (len(REGIONS) + len(HOSTING))
_EDGES = _EXCHANGES + len(HOSTING)


@dataclass(frozen=True, slots=True)
class Router:
    """One hop. ``share`` is how much of the way to the host lies before it."""

    name: str
    address: str
    network: str
    location: str
    share: float


def networks() -> tuple[str, ...]:
    """Networks of the routers that are no agent's own."""
    backbones = [_backbone(provider) for provider in range(_PROVIDERS)]
    return (*backbones, *(_exchange_network(place) for place in range(len(HOSTING))), _HOSTING_NETWORK)


def routers(agents: Iterable[SimAgent]) -> list[Router]:
    """Every hop but the first of a way, which is an agent's own."""
    found: dict[str, Router] = {}
    for agent in agents:
        for index in range(_WIDE):
            one = _aggregation(agent, index)
            found[one.name] = one
    for provider in range(_PROVIDERS):
        for index in range(_WIDE):
            for region in REGIONS:
                one = _regional(provider, region, index)
                found[one.name] = one
            for place in range(len(HOSTING)):
                one = _central(provider, place, index)
                found[one.name] = one
    for place in range(len(HOSTING)):
        for index in range(_WIDE):
            for one in (_exchange(place, index), _edge(place, index)):
                found[one.name] = one
    return list(found.values())


def way(
    seed: int, agent: SimAgent, host: str, target: SimAgent | None, flow: int, given: int
) -> tuple[Router, ...]:
    """The routers of one trace, the agent's own first. ``given`` is which of its addresses the host has."""
    provider = _asn(agent.network) % _PROVIDERS
    pair = number(0, "way", agent.id, host)
    begin = (
        _access(agent),
        _aggregation(agent, number(0, "flow", agent.id, host, flow) % _WIDE),
        _regional(provider, _region(agent), pair % _WIDE),
    )
    if target is not None:
        return (*begin, *_to_agent(provider, agent, target, pair))
    place = number(seed, "hosting", host) % len(HOSTING)
    side = (_asn(agent.network) // _PROVIDERS + place + 1) % _WIDE
    edge = (number(0, "edge", host) + given) % _WIDE
    return (
        *begin,
        _central(provider, place, side),
        _exchange(place, pair // _WIDE % _WIDE),
        _edge(place, edge),
    )


def addresses(host: str) -> int:
    """From how many places a host is served: one, or two of which each agent is given one."""
    return 1 + number(0, "addresses", host) % _WIDE


def given(agent: SimAgent, host: str) -> int:
    """Which address of a host the resolver of an agent gives: all machines of a network ask the same one."""
    if addresses(host) == 1:
        return 0
    return number(0, "given", agent.network, agent.country, host) % _WIDE


def _to_agent(provider: int, agent: SimAgent, target: SimAgent, pair: int) -> Iterator[Router]:
    """From the transit of one region to the network of an agent in maybe another."""
    if _region(target) != _region(agent):
        yield replace(_regional(provider, _region(target), pair // 4 % _WIDE), share=0.85)
    yield replace(_aggregation(target, pair // 8 % _WIDE), share=0.95)
    yield replace(_access(target), share=0.98)


@lru_cache(maxsize=4096)
def _access(agent: SimAgent) -> Router:
    name = f"acc-{_word(agent.location)}-{_asn(agent.network)}"
    number_in = 10 + (LOCATIONS.index(agent.location) if agent.location in LOCATIONS else 200)
    return Router(name, _address(_agents_block(agent), number_in), agent.network, agent.location, 0.03)


@lru_cache(maxsize=8192)
def _aggregation(agent: SimAgent, index: int) -> Router:
    region = _region(agent)
    name = f"agg-{_asn(agent.network)}-{region}-{index}"
    address = _address(_agents_block(agent), 1 + index)
    return Router(name, address, agent.network, region.upper(), 0.08)


@lru_cache
def _regional(provider: int, region: str, index: int) -> Router:
    block = _BACKBONES + provider * (len(REGIONS) + len(HOSTING)) + REGIONS.index(region)
    name = f"tr{provider}-{region}-{index}"
    return Router(name, _address(block, 1 + index), _backbone(provider), region.upper(), 0.2)


@lru_cache
def _central(provider: int, place: int, index: int) -> Router:
    block = _BACKBONES + provider * (len(REGIONS) + len(HOSTING)) + len(REGIONS) + place
    city = HOSTING[place].city
    name = f"tr{provider}-{_word(city)}-{index}"
    return Router(name, _address(block, 1 + index), _backbone(provider), city, 0.85)


@lru_cache
def _exchange(place: int, index: int) -> Router:
    city = HOSTING[place].city
    address = _address(_EXCHANGES + place, 1 + index)
    return Router(f"ix-{_word(city)}-{index}", address, _exchange_network(place), city, 0.92)


@lru_cache
def _edge(place: int, index: int) -> Router:
    city = HOSTING[place].city
    return Router(
        f"edge-{_word(city)}-{index}", _address(_EDGES + place, 1 + index), _HOSTING_NETWORK, city, 0.97
    )


def _address(block: int, last: int) -> str:
    return f"198.19.{block}.{last}"


def _agents_block(agent: SimAgent) -> int:
    return (_asn(agent.network) - _FIRST_NETWORK) % _NETWORKS * len(REGIONS) + REGIONS.index(_region(agent))


def _region(agent: SimAgent) -> str:
    return dict(agent.tags)["region"]


def _backbone(provider: int) -> str:
    return f"Example Backbone {provider} (AS {64600 + provider})"


def _exchange_network(place: int) -> str:
    return f"Example Exchange {HOSTING[place].city} (AS {64610 + place})"


_HOSTING_NETWORK: Final = "Example Hosting (AS 64620)"


@lru_cache
def _asn(network: str) -> int:
    found = re.search(r"AS (\d+)", network)
    return int(found[1]) if found else 0


@lru_cache
def _word(text: str) -> str:
    return re.sub(r"[^a-z]+", "-", text.removesuffix(" Area").lower()).strip("-")
