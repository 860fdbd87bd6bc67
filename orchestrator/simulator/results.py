"""What an agent measures: a pure function of seed, test, agent and round number.

Neither the time nor the API version nor the order of the questions has a say, so a plan gives the same
values row for row over v6 and v7. Names of metrics are those of v7; milliseconds unless said otherwise.
"""

from __future__ import annotations

import math
import random
from typing import Final

from orchestrator.simulator.draws import number, share, source
from orchestrator.simulator.effects import NAMES, PHASES, Trouble
from orchestrator.simulator.messages import Json, JsonObject
from orchestrator.simulator.scene import Measured, Scene
from orchestrator.simulator.traces import traced

_ALL, _PACKETS = 100.0, 50
_CODEC, _BEST_MOS = "G.711 @ 64 Kbps", 4.41
_ENCRYPTION: Final = {"sslVersion": "TLSv1.3", "sslCipher": "TLS_AES_128_GCM_SHA256"}


def trouble_of(scene: Scene) -> Trouble | None:
    """The failure of this look, if it fails: by the host's name, its agent, by lot, or on purpose."""
    found = [one for one in (_of_the_world(scene), scene.broken.trouble) if one is not None]
    return min(found, key=lambda one: PHASES.index(one.phase), default=None)


def _of_the_world(scene: Scene) -> Trouble | None:
    names = scene.settings.shared and scene.definition.type in NAMES
    for host in (scene.definition.host, scene.server or ""):
        if host.endswith(".invalid"):
            return Trouble("dns", f"Could not resolve host: {host}")
        if host.startswith(("fail.", "down.")) and not (names and host == scene.definition.host):
            return Trouble("connect", f"Failed to connect to {host}: connection refused")
    if scene.target is not None and not scene.target.answers:
        return Trouble("connect", f"Target agent {scene.target.name} is not reachable")
    if share(scene.settings.seed, *scene.words("error")) < scene.settings.error_rate:
        return Trouble("receive", "Operation timed out after 5000 milliseconds with 0 bytes received")
    return None


def measure(scene: Scene, layer: str, direction: str | None = None) -> list[Measured]:
    """The rows that one agent gives in one layer of one round and direction: one, or one per name server."""
    if layer == "dns-server":
        sights = [
            (scene.at(server), position) for position, server in enumerate(scene.definition.dns_servers)
        ]
        return [_dns_server(sight, position) for sight, position in sights if not sight.broken.silent]
    if layer in {"network", "path-vis"}:
        return [row for sight, server in _sights(scene) for row in _packets(sight, layer, direction, server)]
    trouble = trouble_of(scene)
    if trouble is not None and trouble.phase != "http":
        return [Measured({}, trouble, facts=_failed_facts(scene, layer, trouble))]
    metrics = _LAYERS[layer](scene, scene.rng(layer))
    if trouble is not None:
        metrics = _refused(layer, metrics, trouble.code)
    return [Measured(metrics, trouble, facts=_facts(scene, layer))]


def _sights(scene: Scene) -> list[tuple[Scene, str]]:
    """What is measured over the network, with its name in the rows."""
    if not scene.settings.shared or not scene.definition.dns_servers:
        return [(scene, server) for server in scene.servers]
    return [(scene.at(server), f"{server}:53") for server in scene.definition.dns_servers]


def _packets(scene: Scene, layer: str, direction: str | None, server: str) -> list[Measured]:
    trouble = trouble_of(scene)
    if scene.broken.silent:
        return []
    if (
        trouble is not None
        and trouble.phase == "dns"
        and scene.settings.shared
        and scene.definition.type in NAMES
    ):
        trouble = None  # a name server that knows no answer is reached all the same
    shaped = (
        _network(scene, trouble, direction, server)
        if layer == "network"
        else _path_vis(scene, trouble, server)
    )
    return [shaped]


def _refused(layer: str, metrics: JsonObject, code: int) -> JsonObject:
    """What is measured of an answer with this code."""
    if layer in {"http-server", "sip-server"}:
        return {**metrics, "responseCode": code}
    return {**metrics, "completion": 0} if layer == "api" else {}


def _facts(scene: Scene, layer: str) -> JsonObject:
    """Fields that are no measurement."""
    if layer in {"http-server", "ftp-server", "sip-server", "rtp-server"}:
        return {"serverIp": scene.server_ip}
    return {}


def _failed_facts(scene: Scene, layer: str, trouble: Trouble) -> JsonObject:
    return {} if trouble.phase == "dns" else _facts(scene, layer)


def _network(scene: Scene, trouble: Trouble | None, direction: str | None, server: str) -> Measured:
    facts: JsonObject = {"serverIp": scene.server_ip}
    primary = scene.definition.type in {"agent-to-server", "agent-to-agent"}
    # Where a part of the traces is cut, packets come back though the connection does not.
    partly = scene.broken.trouble is not None and scene.broken.loss < _ALL
    if trouble is not None and trouble.phase == "connect" and trouble is scene.broken.trouble and partly:
        trouble = None
    if trouble is not None and (primary or trouble.phase == "dns"):
        return Measured({}, trouble, server=server)
    if trouble is not None and trouble.phase == "connect":
        # Nothing came back: loss is measured, times are not.
        return Measured({"loss": _ALL}, server=server, facts=facts)
    further = (server,) if server != scene.servers[0] else ()
    rng = scene.rng("network", direction or "", *further)
    trip = scene.round_trip
    low, high = trip * rng.uniform(0.96, 1.0), trip * rng.uniform(1.02, 1.3)
    lossy = scene.troubled and not scene.definition.host.startswith("slow.")
    metrics: JsonObject = {
        "loss": max(round(rng.randrange(1, 20) * 2.0, 1) if lossy else 0.0, _lost(scene, server)),
        "minLatency": round(low, 3),
        "avgLatency": round(low + (high - low) * rng.uniform(0.1, 0.4), 3),
        "maxLatency": round(high, 3),
        "jitter": round((high - low) * rng.uniform(0.1, 0.5), 3),
    }
    if scene.definition.bandwidth and scene.agent.type != "cloud":
        capacity = rng.choice((20.0, 50.0, 100.0, 500.0))
        metrics["capacity"] = capacity
        metrics["availableBandwidth"] = round(capacity * rng.uniform(0.4, 0.9), 2)
    return Measured(metrics, server=server, facts=facts)


def _lost(scene: Scene, *words: object) -> float:
    """Percent of fifty packets that are lost on purpose: at least one of them, and not all."""
    loss = scene.broken.loss
    if not loss:
        return 0.0
    rng = source(scene.settings.seed, *scene.chance("packets", *words))
    lost = sum(rng.random() * 100.0 < loss for _ in range(_PACKETS))
    return min(_PACKETS - 1, max(1, lost)) * 100.0 / _PACKETS


def _path_vis(scene: Scene, trouble: Trouble | None, server: str) -> Measured:
    facts: JsonObject = {"sourceIp": scene.agent.address, "sourcePrefix": _prefix(scene.agent.address)}
    if trouble is not None and trouble.phase == "dns":
        return Measured({"pathTraces": []}, server=server, facts=facts)
    found: list[Json] = [
        {
            "pathId": trace.id,
            "numberOfHops": trace.length,
            "ipAddress": scene.server_ip,
            **({} if trace.milliseconds is None else {"responseTime": trace.milliseconds}),
        }
        for trace in traced(scene, reached=is_reached(scene, trouble))
    ]
    facts["serverIp"] = scene.server_ip
    return Measured({"pathTraces": found}, server=server, facts=facts)


def is_reached(scene: Scene, trouble: Trouble | None) -> bool:
    """Whether traces come to the target, as far as nothing on the way is broken on purpose."""
    return trouble is None or trouble.phase != "connect" or trouble is scene.broken.trouble


def _prefix(address: str) -> str:
    return address.rpartition(".")[0] + ".0/24"


def _web(scene: Scene, rng: random.Random) -> JsonObject:
    trip = scene.round_trip
    size = rng.randrange(4_000, 90_000)
    times = {
        "dnsTime": round(rng.uniform(1, 30)),
        "connectTime": round(trip),
        "waitTime": round(scene.waited(trip + rng.uniform(15, 120))),
        "receiveTime": max(1, round(trip * rng.uniform(0.1, 1.2))),
    }
    if scene.definition.secure:
        times["sslTime"] = round(2 * trip + rng.uniform(1, 6))
    response = sum(value for name, value in times.items() if name != "receiveTime")
    return {
        **times,
        "responseTime": response,
        "redirectTime": 0,
        "totalTime": response + times["receiveTime"],
        "wireSize": size,
        "throughput": round(size / times["receiveTime"] * 1000),
        "numRedirects": 0,
        "responseCode": 200,
        **(
            {"sslVersion": "TLSv1.3", "sslCipher": "TLS_AES_128_GCM_SHA256"}
            if scene.definition.secure
            else {}
        ),
    }


def _page_load(scene: Scene, rng: random.Random) -> JsonObject:
    web = _web(scene, scene.rng("http-server"))
    dom = web["totalTime"] + round(rng.uniform(150, 700))
    return {
        "responseTime": web["responseTime"],
        "domLoadTime": dom,
        "pageLoadTime": dom + round(rng.uniform(200, 900)),
        "totalSize": rng.randrange(300_000, 4_000_000),
        "numObjects": rng.randrange(20, 160),
        "numErrors": 0,
    }


def _transaction(scene: Scene, rng: random.Random) -> JsonObject:
    return {
        "transactionTime": round(
            scene.waited(scene.round_trip * rng.uniform(8, 20) + rng.uniform(500, 2500))
        ),
        "componentErrors": 0,
    }


def _api(scene: Scene, rng: random.Random) -> JsonObject:
    return {
        "apiTransactionTime": round(
            scene.waited(scene.round_trip * rng.uniform(4, 8) + rng.uniform(40, 300))
        ),
        "completion": 100,
    }


def _ftp(scene: Scene, rng: random.Random) -> JsonObject:
    trip = scene.round_trip
    size = rng.randrange(10_000, 500_000)
    times = {
        "dnsTime": round(rng.uniform(1, 30)),
        "connectTime": round(trip),
        "negotiationTime": round(4 * trip + rng.uniform(2, 10)),
        "waitTime": round(scene.waited(trip + rng.uniform(2, 30))),
        "transferTime": max(1, round(trip * rng.uniform(2, 6))),
    }
    response = sum(value for name, value in times.items() if name != "transferTime")
    return {
        **times,
        "responseTime": response,
        "totalTime": response + times["transferTime"],
        "wireSize": size,
        "throughput": round(size / times["transferTime"] * 1000),
        "responseCode": 226,
    }


def _dns_server(scene: Scene, position: int) -> Measured:
    """One name server's row; the scene is the look at it."""
    server = scene.server or ""
    server_id = number(0, "dns server", server) % 900_000 + 1_000 + position
    trouble = trouble_of(scene)
    if trouble is not None:
        return Measured({}, trouble, server=server, server_id=server_id)
    rng = scene.rng("dns-server", server)
    metrics = {
        "resolutionTime": round(scene.waited(scene.round_trip * 0.5 + rng.uniform(1, 12))),
        "mappings": scene.resolved,
    }
    return Measured(metrics, server=server, server_id=server_id)


def _dns_trace(scene: Scene, rng: random.Random) -> JsonObject:
    host = scene.definition.host
    final = round(scene.waited(scene.round_trip * 0.5 + rng.uniform(2, 20)))
    zone = ".".join(host.split(".")[-2:])
    lines = (
        f"{host.rsplit('.', 1)[-1]}.\t172800\tIN\tNS\ta.gtld-servers.example.",
        f";; Received 498 bytes from 192.0.2.53(a.root-servers.example.) in {rng.randrange(4, 90)} ms",
        "",
        f"{zone}.\t172800\tIN\tNS\tns1.{zone}.",
        f";; Received 266 bytes from 192.0.2.54(a.gtld-servers.example.) in {rng.randrange(4, 90)} ms",
        "",
        f"{host}.\t300\tIN\tA\t{scene.resolved}",
        f";; Received 173 bytes from 192.0.2.55(ns1.{zone}.) in {final} ms",
    )
    return {
        "queries": 3,
        "failedQueries": 0,
        "finalServerQueried": f"ns1.{zone}.",
        "finalQueryTime": final,
        "mappings": scene.resolved,
        "output": "\n".join(lines) + "\n",
    }


def _dnssec(_scene: Scene, _rng: random.Random) -> JsonObject:
    return {"isValid": True}


def _sip(scene: Scene, rng: random.Random) -> JsonObject:
    trip = scene.round_trip
    times = {
        "dnsTime": round(rng.uniform(1, 20)),
        "connectTime": round(trip),
        "registerTime": round(2 * trip + rng.uniform(1, 20)),
        "inviteTime": round(2 * trip + rng.uniform(1, 20)),
        "optionsTime": round(2 * trip + rng.uniform(1, 10)),
        "waitTime": round(scene.waited(trip + rng.uniform(1, 10))),
    }
    return {
        **times,
        "availability": 100.0,
        "responseTime": times["connectTime"] + times["waitTime"],
        "totalTime": sum(times.values()),
        "responseCode": 200,
        "numRedirects": 0,
    }


def _rtp(scene: Scene, rng: random.Random) -> JsonObject:
    latency = round(scene.round_trip / 2)
    loss = max(round(rng.uniform(1, 8), 1) if scene.troubled else 0.0, _lost(scene, "rtp"))
    mos = _BEST_MOS - 0.04 - 0.25 * loss - max(0.0, latency - 150) * 0.005
    return {
        "mos": round(max(1.0, mos), 6),
        "codecMaxMos": _BEST_MOS,
        "codecName": _CODEC,
        "loss": loss,
        "discards": 0.0,
        "latency": latency,
        "pdv": math.ceil(rng.uniform(0, 4)),
        "dscp": scene.definition.dscp,
        "dscpName": f"DSCP {scene.definition.dscp}",
    }


_LAYERS: Final = {
    "http-server": _web,
    "page-load": _page_load,
    "web-transactions": _transaction,
    "api": _api,
    "ftp-server": _ftp,
    "dns-trace": _dns_trace,
    "dnssec": _dnssec,
    "sip-server": _sip,
    "rtp-server": _rtp,
}
