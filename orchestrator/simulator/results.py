"""What an agent measures: a pure function of seed, test, agent and round number.

Neither the time nor the API version nor the order of the questions has a say, so a plan gives the same
values row for row over v6 and v7. Names of metrics are those of v7; milliseconds unless said otherwise.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Final

from orchestrator.simulator.catalog import Definition
from orchestrator.simulator.draws import number, share, source
from orchestrator.simulator.fleet import SimAgent
from orchestrator.simulator.messages import Json, JsonObject
from orchestrator.simulator.paths import distance, traces
from orchestrator.simulator.settings import Settings

_CODEC, _BEST_MOS = "G.711 @ 64 Kbps", 4.41
_ENCRYPTION: Final = {"sslVersion": "TLSv1.3", "sslCipher": "TLS_AES_128_GCM_SHA256"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a measurement failed: the phase (dns, connect, receive) and the text that is shown."""

    phase: str
    text: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One row without its agent and dates. ``metrics`` is empty when the measurement failed."""

    metrics: JsonObject
    trouble: Trouble | None = None
    server: str | None = None
    server_id: int | None = None
    facts: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """One agent looking at one target in one round."""

    settings: Settings
    definition: Definition
    agent: SimAgent
    target: SimAgent | None
    round_number: int

    def words(self, *more: object) -> tuple[object, ...]:
        return (self.definition.type, *self.definition.subject, self.agent.id, self.round_number, *more)

    def rng(self, *more: object) -> random.Random:
        return source(self.settings.seed, *self.words(*more))

    @property
    def troubled(self) -> bool:
        """Whether this is one of the slow and lossy looks."""
        lot = share(self.settings.seed, *self.words("trouble"))
        return self.definition.host.startswith(("slow.", "lossy.")) or lot < self.settings.trouble

    @property
    def round_trip(self) -> float:
        """Milliseconds there and back: light in fibre with a detour, and the last mile."""
        kilometres = distance(self.settings.seed, self.agent, self.definition.host, self.target)
        last_mile = 1.0 + 5.0 * share(self.settings.seed, "last mile", self.agent.id)
        wobble = 0.95 + 0.1 * share(self.settings.seed, *self.words("round trip"))
        slow = 6.0 if self.troubled and not self.definition.host.startswith("lossy.") else 1.0
        return (kilometres / 100.0 * 1.4 + last_mile) * wobble * slow

    @property
    def server_ip(self) -> str:
        """An address set aside for documentation (RFC 5737), or that of the agent aimed at."""
        if self.target is not None:
            return self.target.address
        lot = number(0, "address", self.definition.host)
        return f"{('203.0.113', '198.51.100', '192.0.2')[lot % 3]}.{lot // 3 % 254 + 1}"

    @property
    def servers(self) -> tuple[str, ...]:
        """What is measured over the network, as its rows name it: the target, or each name server."""
        definition = self.definition
        if definition.dns_servers:
            return tuple(f"{server}:53" for server in definition.dns_servers)
        host = self.target.address if self.target is not None else definition.host
        return (f"{host}:{definition.port}" if definition.port else host,)


def trouble_of(scene: Scene, server: str | None = None) -> Trouble | None:
    """The failure of this look, if it fails: by the host's name, its agent, or by lot."""
    for host in (scene.definition.host, server or ""):
        if host.endswith(".invalid"):
            return Trouble("dns", f"Could not resolve host: {host}")
        if host.startswith(("fail.", "down.")):
            return Trouble("connect", f"Failed to connect to {host}: connection refused")
    if scene.target is not None and not scene.target.answers:
        return Trouble("connect", f"Target agent {scene.target.name} is not reachable")
    if share(scene.settings.seed, *scene.words("error")) < scene.settings.error_rate:
        return Trouble("receive", "Operation timed out after 5000 milliseconds with 0 bytes received")
    return None


def measure(scene: Scene, layer: str, direction: str | None = None) -> list[Measured]:
    """The rows that one agent gives in one layer of one round and direction: one, or one per name server."""
    if layer == "dns-server":
        return [
            _dns_server(scene, server, position)
            for position, server in enumerate(scene.definition.dns_servers)
        ]
    trouble = trouble_of(scene)
    if layer == "network":
        return [_network(scene, trouble, direction, server) for server in scene.servers]
    if layer == "path-vis":
        return [_path_vis(scene, trouble, server) for server in scene.servers]
    if trouble is not None:
        return [Measured({}, trouble, facts=_failed_facts(scene, layer, trouble))]
    return [Measured(_LAYERS[layer](scene, scene.rng(layer)), facts=_facts(scene, layer))]


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
    if trouble is not None and (primary or trouble.phase == "dns"):
        return Measured({}, trouble, server=server)
    if trouble is not None and trouble.phase == "connect":
        # Nothing came back: loss is measured, times are not.
        return Measured({"loss": 100.0}, server=server, facts=facts)
    further = (server,) if server != scene.servers[0] else ()
    rng = scene.rng("network", direction or "", *further)
    trip = scene.round_trip
    low, high = trip * rng.uniform(0.96, 1.0), trip * rng.uniform(1.02, 1.3)
    lossy = scene.troubled and not scene.definition.host.startswith("slow.")
    metrics: JsonObject = {
        "loss": round(rng.randrange(1, 20) * 2.0, 1) if lossy else 0.0,
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


def _path_vis(scene: Scene, trouble: Trouble | None, server: str) -> Measured:
    facts: JsonObject = {"sourceIp": scene.agent.address, "sourcePrefix": _prefix(scene.agent.address)}
    if trouble is not None and trouble.phase == "dns":
        return Measured({"pathTraces": []}, server=server, facts=facts)
    reached = trouble is None or trouble.phase != "connect"
    found: list[Json] = [
        {
            "pathId": trace.id,
            "numberOfHops": trace.hops,
            "ipAddress": scene.server_ip,
            **({"responseTime": round(scene.round_trip * trace.stretch)} if reached else {}),
        }
        for trace in traces(scene.settings.seed, scene.definition, scene.agent, scene.target)
    ]
    facts["serverIp"] = scene.server_ip
    return Measured({"pathTraces": found}, server=server, facts=facts)


def _prefix(address: str) -> str:
    return address.rpartition(".")[0] + ".0/24"


def _web(scene: Scene, rng: random.Random) -> JsonObject:
    trip = scene.round_trip
    size = rng.randrange(4_000, 90_000)
    times = {
        "dnsTime": round(rng.uniform(1, 30)),
        "connectTime": round(trip),
        "waitTime": round(trip + rng.uniform(15, 120)),
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
        "transactionTime": round(scene.round_trip * rng.uniform(8, 20) + rng.uniform(500, 2500)),
        "componentErrors": 0,
    }


def _api(scene: Scene, rng: random.Random) -> JsonObject:
    return {
        "apiTransactionTime": round(scene.round_trip * rng.uniform(4, 8) + rng.uniform(40, 300)),
        "completion": 100,
    }


def _ftp(scene: Scene, rng: random.Random) -> JsonObject:
    trip = scene.round_trip
    size = rng.randrange(10_000, 500_000)
    times = {
        "dnsTime": round(rng.uniform(1, 30)),
        "connectTime": round(trip),
        "negotiationTime": round(4 * trip + rng.uniform(2, 10)),
        "waitTime": round(trip + rng.uniform(2, 30)),
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


def _dns_server(scene: Scene, server: str, position: int) -> Measured:
    server_id = number(0, "dns server", server) % 900_000 + 1_000 + position
    trouble = trouble_of(scene, server)
    if trouble is not None:
        return Measured({}, trouble, server=server, server_id=server_id)
    rng = scene.rng("dns-server", server)
    metrics = {
        "resolutionTime": round(scene.round_trip * 0.5 + rng.uniform(1, 12)),
        "mappings": scene.server_ip,
    }
    return Measured(metrics, server=server, server_id=server_id)


def _dns_trace(scene: Scene, rng: random.Random) -> JsonObject:
    host = scene.definition.host
    final = round(scene.round_trip * 0.5 + rng.uniform(2, 20))
    zone = ".".join(host.split(".")[-2:])
    lines = (
        f"{host.rsplit('.', 1)[-1]}.\t172800\tIN\tNS\ta.gtld-servers.example.",
        f";; Received 498 bytes from 192.0.2.53(a.root-servers.example.) in {rng.randrange(4, 90)} ms",
        "",
        f"{zone}.\t172800\tIN\tNS\tns1.{zone}.",
        f";; Received 266 bytes from 192.0.2.54(a.gtld-servers.example.) in {rng.randrange(4, 90)} ms",
        "",
        f"{host}.\t300\tIN\tA\t{scene.server_ip}",
        f";; Received 173 bytes from 192.0.2.55(ns1.{zone}.) in {final} ms",
    )
    return {
        "queries": 3,
        "failedQueries": 0,
        "finalServerQueried": f"ns1.{zone}.",
        "finalQueryTime": final,
        "mappings": scene.server_ip,
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
        "waitTime": round(trip + rng.uniform(1, 10)),
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
    loss = round(rng.uniform(1, 8), 1) if scene.troubled else 0.0
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
