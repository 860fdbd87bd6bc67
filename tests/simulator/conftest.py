"""A service without sockets, and short ways to ask it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.simulator.service import Service, Settings, SimReply, SimRequest

# A full minute of a day that everybody can compute with.
START = 1_800_000_000.0

AGENTS_V7 = [{"agentId": "3"}, {"agentId": "4"}]
AGENTS_V6 = [{"agentId": 3}, {"agentId": 4}]

# The smallest body of each type, by version 7's names.
BODIES: dict[str, dict[str, Any]] = {
    "agent-to-server": {"server": "www.example.com:443"},
    "agent-to-agent": {"targetAgentId": "1001"},
    "dns-server": {"domain": "www.example.com A", "dnsServers": ["ns1.example.com", "ns2.example.com"]},
    "dns-trace": {"domain": "www.example.com A"},
    "dnssec": {"domain": "example.com"},
    "http-server": {"url": "https://www.example.com"},
    "page-load": {"url": "https://www.example.com"},
    "web-transactions": {"url": "https://www.example.com", "transactionScript": "run();"},
    "api": {
        "url": "https://api.example.com",
        "requests": [{"name": "Step 1", "url": "https://api.example.com"}],
    },
    "ftp-server": {
        "url": "ftp://ftp.example.com",
        "username": "reader",
        "password": "made-up",
        "requestType": "download",
    },
    "sip-server": {"targetSipCredentials": {"port": 5060, "sipRegistrar": "sip.example.com"}},
    "voice": {"targetAgentId": "1001"},
}

# The same tests by version 6's names.
BODIES_V6: dict[str, dict[str, Any]] = {
    "agent-to-server": {"server": "www.example.com", "port": 443},
    "agent-to-agent": {"targetAgentId": 1001},
    "dns-server": {
        "domain": "www.example.com A",
        "dnsServers": [{"serverName": "ns1.example.com"}, {"serverName": "ns2.example.com"}],
    },
    "dns-trace": {"domain": "www.example.com A"},
    "dns-dnssec": {"domain": "example.com"},
    "http-server": {"url": "https://www.example.com", "verifyCertificate": 0},
    "page-load": {"url": "https://www.example.com"},
    "web-transactions": {"url": "https://www.example.com", "transactionScript": "run();"},
    "ftp-server": {
        "url": "ftp://ftp.example.com",
        "username": "reader",
        "password": "made-up",
        "requestType": "Download",
    },
    "sip-server": {
        "port": 5060,
        "sipRegistrar": "sip.example.com",
        "targetSipCredentials": {"port": 5060, "sipRegistrar": "sip.example.com", "protocol": "TCP"},
    },
    "voice": {"targetAgentId": 1001},
}


class Caller:
    """Asks one service; ``now`` is moved by the test."""

    bodies = BODIES
    bodies_v6 = BODIES_V6
    start = START

    def __init__(self, service: Service, now: float = START) -> None:
        self.service = service
        self.now = now
        self.headers = {
            "authorization": "Bearer made-up",
            "content-type": "application/json",
            "host": "127.0.0.1:8089",
        }

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> SimReply:
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.service.handle(SimRequest(method, path, query, self.headers, data), self.now)

    def get(self, path: str, **query: str) -> Any:
        reply = self.ask("GET", path, **query)
        assert reply.status == 200, (reply.status, reply.body)
        return json.loads(reply.body)

    def create(self, type_name: str = "http-server", **more: Any) -> str:
        """Create a test over version 7; returns its id."""
        body = {**BODIES[type_name], "agents": AGENTS_V7, **more}
        reply = self.ask("POST", f"/v7/tests/{type_name}/instant", body)
        assert reply.status == 201, (reply.status, reply.body)
        return str(json.loads(reply.body)["testId"])

    def create_v6(self, type_name: str = "http-server", **more: Any) -> int:
        """Create a test over version 6; returns its id."""
        body = {**BODIES_V6[type_name], "agents": AGENTS_V6, **more}
        reply = self.ask("POST", f"/v6/instant/{type_name}", body)
        assert reply.status == 201, (reply.status, reply.body)
        return int(json.loads(reply.body)["test"][0]["testId"])

    def rows(self, test_id: str, layer: str, **query: str) -> list[Any]:
        rows = self.get(f"/v7/test-results/{test_id}/{layer}", **query)["results"]
        assert isinstance(rows, list)
        return rows


@pytest.fixture
def caller() -> Any:
    """Make a caller of a service with these settings; limits are wide unless they are named."""

    def make(**settings: Any) -> Caller:
        wide: dict[str, Any] = {"organization_limit": 100_000, "instant_limit": 10_000}
        return Caller(Service(Settings(**{**wide, **settings})))

    return make
