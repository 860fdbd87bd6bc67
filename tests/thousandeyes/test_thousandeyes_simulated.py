"""Both versions, end to end over sockets, against the simulator, which shares no code with this door."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pytest

from orchestrator.credentials import Credentials
from orchestrator.model import Answer, AnswerStatus, Api, Json, Spec
from orchestrator.simulator.server import serve
from orchestrator.simulator.service import Service
from orchestrator.simulator.settings import Settings
from orchestrator.testtypes import TEST_TYPES
from orchestrator.thousandeyes.client import HttpTransport
from orchestrator.thousandeyes.dialects import dialect
from orchestrator.thousandeyes.limits import read_limits
from orchestrator.thousandeyes.protocol import Created, Dialect, Reply, Request

MakeSpec = Callable[..., Spec]
SETTINGS = Settings(
    seed=5, all_online=True, organization_limit=10_000, instant_limit=1000, network_delay=0.0, page_size=2
)
IN_V6 = [name for name, kind in TEST_TYPES.items() if kind.v6_name is not None]


@dataclass
class World:
    """A simulated API whose clock the test moves, and one transport to it."""

    origin: str
    transport: HttpTransport
    now: float = 1_795_000_000.0

    async def ask(self, request: Request, status: int = 200) -> Reply:
        reply = await self.transport.send(request)
        assert reply.status == status, reply.body[:500]
        return reply


async def in_world(work: Callable[[World], object], settings: Settings = SETTINGS) -> None:
    """Run ``work`` in a fresh world."""
    world: World
    async with serve(Service(settings), lambda: world.now, asyncio.sleep) as origin:
        credentials = Credentials("simulated-token-0123456789")
        async with HttpTransport(origin, credentials, now=lambda: world.now, environ={}) as transport:
            world = World(origin, transport)
            result = work(world)
            assert asyncio.iscoroutine(result)
            await result


async def rows(world: World, door: Dialect, spec: Spec, created: Created, layer: str) -> list[Answer]:
    """All pages of a layer."""
    link = created.links.get(layer)
    request: Request | None = door.poll(spec, created.test_id, layer, link, world.origin, None)
    found: list[Answer] = []
    for _ in range(20):
        assert request is not None
        page = door.read_page(layer, (await world.ask(request)).body)
        assert page.skipped == 0
        found += page.rows
        if page.next_href is None:
            return found
        request = door.follow(page.next_href, world.origin)
    raise AssertionError("pages without an end")


async def answers_of(world: World, api: Api, spec: Spec) -> Mapping[str, list[Answer]]:
    """Create the test, wait until it is certainly over, and read all its layers."""
    door = dialect(api)
    reply = await world.ask(door.create(spec, "a name", None), 201)
    assert read_limits(reply.headers).instant_test is not None
    created = door.read_created(reply.body, reply.headers)
    early = {layer: await rows(world, door, spec, created, layer) for layer in spec.layers}
    assert not any(early.values()), "nothing is there at once, and that is no error"
    world.now += 600
    return {layer: await rows(world, door, spec, created, layer) for layer in spec.layers}


async def usable_agents(world: World) -> tuple[str, ...]:
    door = dialect(Api.V7)
    agents = door.read_agents((await world.ask(door.agents(None))).body)
    return tuple(agent.id for agent in agents if agent.type.value == "enterprise" and not agent.target_only)


def essence(answer: Answer) -> tuple[object, ...]:
    """What must be equal in both versions; rounds and dates are those of two tests."""
    metrics = tuple(sorted(answer.metrics.items()))
    return (
        answer.layer,
        answer.agent_id,
        answer.agent,
        answer.country,
        answer.server,
        answer.status,
        metrics,
    )


@pytest.mark.parametrize("name", IN_V6)
@pytest.mark.parametrize("host", ["portal.example.com", "down.example.com"])
async def test_the_same_spec_gives_the_same_answers_in_both_versions(
    name: str, host: str, make_spec: MakeSpec
) -> None:
    async def work(world: World) -> None:
        agents = await usable_agents(world)
        spec = with_host(make_spec(name), host, agents)
        v7, v6 = [await answers_of(world, api, spec) for api in (Api.V7, Api.V6)]
        for layer in spec.layers:
            both_ways = spec.fields.get("direction") == "bidirectional" and layer == "path-vis"
            expected = 3 * (2 if both_ways else spec.servers)
            assert len(v7[layer]) == expected, f"{layer} in v7"
            assert sorted(map(essence, v7[layer]), key=repr) == sorted(map(essence, v6[layer]), key=repr)
            assert all(answer.date and answer.date.endswith("Z") for answer in v7[layer] + v6[layer])
        if host.startswith("portal"):
            statuses = {answer.status for layer in spec.layers for answer in v7[layer]}
            assert statuses == {AnswerStatus.OK}

    await in_world(work)


def with_host(spec: Spec, host: str, agents: tuple[str, ...]) -> Spec:
    """The spec with another target and agents that exist."""
    changed: dict[str, Json] = {
        "server": f"{host}:443",
        "domain": f"{host} A",
        "url": f"https://{host}/",
        "targetAgentId": agents[3],
        "targetSipCredentials": {"port": 5060, "sipRegistrar": host, "protocol": "tls"},
    }
    if spec.type == "ftp-server":
        changed["url"] = f"ftp://{host}/"
    fields = {key: changed.get(key, value) for key, value in spec.fields.items()}
    return replace(spec, fields=fields, agents=agents[:3])


# The targets of two types are agents, which are up; and page-load rows have no field for a reason.
@pytest.mark.parametrize("name", sorted({*TEST_TYPES} - {"agent-to-agent", "voice", "page-load"}))
async def test_a_target_that_is_down_gives_error_rows_with_a_reason(name: str, make_spec: MakeSpec) -> None:
    async def work(world: World) -> None:
        agents = await usable_agents(world)
        spec = with_host(make_spec(name), "down.example.com", agents)
        if name in {"agent-to-agent", "voice"}:
            return  # their targets are agents, which are up
        found = await answers_of(world, Api.V7, spec)
        primary = found[spec.layers[0]]
        assert {answer.status for answer in primary} == {AnswerStatus.ERROR}
        assert all(answer.error and "gives no reason" not in answer.error for answer in primary)

    await in_world(work)


async def test_agents_labels_and_account_groups_are_the_same_in_both_versions() -> None:
    async def work(world: World) -> None:
        seen = []
        for api in Api:
            door = dialect(api)
            agents = door.read_agents((await world.ask(door.agents(None))).body)
            labels = door.read_labels((await world.ask(door.labels(None))).body)
            groups = door.read_account_groups((await world.ask(door.account_groups())).body)
            plain = {(agent.id, agent.name, agent.type, agent.state, agent.country) for agent in agents}
            assert len(plain) == len(agents) >= 60
            seen.append((plain, groups, labels, agents))
        (v7, v7_groups, v7_labels, _), (v6, v6_groups, v6_labels, v6_agents) = seen
        assert v7 == v6
        assert v7_groups == v6_groups
        by_listing = {
            name: frozenset(agent.id for agent in v6_agents if name in agent.labels)
            for name in {label for agent in v6_agents for label in agent.labels}
        }
        assert {name: v7_labels[name] for name in by_listing} == by_listing
        assert set(v6_labels) >= set(by_listing)

    await in_world(work, Settings(seed=5, network_delay=0.0))


async def test_hop_details_are_read_in_both_versions(make_spec: MakeSpec) -> None:
    async def work(world: World) -> None:
        spec = with_host(make_spec("agent-to-server"), "portal.example.com", await usable_agents(world))
        found = []
        for api in Api:
            door = dialect(api)
            reply = await world.ask(door.create(spec, "a name", None), 201)
            created = door.read_created(reply.body, reply.headers)
            world.now += 600
            (first, *_) = await rows(world, door, spec, created, "path-vis")
            request = door.path_detail(created.test_id, first.agent_id, first.round_id, None)
            (detail,) = door.read_path_detail((await world.ask(request)).body).rows
            assert detail.status is AnswerStatus.OK
            assert detail.metrics["pathTraces"] == first.metrics["pathTraces"]
            found.append((detail.agent_id, sorted(detail.metrics.items())))
        assert found[0] == found[1]

    await in_world(work)


async def test_a_rerun_adds_a_round_and_refusals_are_told_in_a_line(make_spec: MakeSpec) -> None:
    async def work(world: World) -> None:
        agents = await usable_agents(world)
        for api in Api:
            door = dialect(api)
            spec = with_host(make_spec("dnssec"), "portal.example.com", agents)
            reply = await world.ask(door.create(spec, "a name", None), 201)
            created = door.read_created(reply.body, reply.headers)
            world.now += 600
            before = await rows(world, door, spec, created, "dnssec")
            await world.ask(door.rerun(created.test_id, None))
            world.now += 600
            after = await rows(world, door, spec, created, "dnssec")
            assert {answer.agent_id for answer in after} == {answer.agent_id for answer in before}
            assert min(answer.round_id for answer in after) > max(answer.round_id for answer in before)
            lost = await world.ask(door.rerun("99", None), 404)
            assert door.problem(lost.status, lost.headers, lost.body)

    await in_world(work)
