"""The five runs whose documents are recorded: what is planned, in which world, and what happens to it.

Pure data: the worlds are settings as in a scenario file, so that nothing of the product is named here. A
change of anything in this file changes what is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# The versions of the API that every scenario is run over; no plan here uses what only one of them has.
VERSIONS = ("v7", "v6")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A plan and a world. ``world`` has the settings of a scenario file.

    With ``rerun`` the documents are those of a second run of the same tests. A run that is ``told_as_real``
    has the texts and commands of a run over the real API, which a simulated run leaves out.
    """

    name: str
    plan: str
    world: Mapping[str, object] = field(default_factory=dict)
    rerun: bool = False
    told_as_real: bool = False


_CLEAN = """
version: 1
name: clean
agents:
  cities: {id: ["3", "5", "8"]}
  offices: {name: "hq-*"}
  branches: {label: branch, country: [GB, DE], state: online}
targets:
  pages:
    - https://www.example.com
    - {name: basket, url: "https://shop.example.com/basket"}
tests:
  - name: web
    type: http-server
    targets: pages
    agents: [cities, offices]
    options: {httpTimeLimit: 10}
    layers: [http-server, network]
    expect: [http-server.responseCode == 200, http-server.totalTime < 10s]
  - name: page
    type: page-load
    targets: pages
    agents: cities
    layers: [page-load, http-server]
  - name: uplinks
    type: agent-to-server
    targets: ["gate.example.net:443"]
    agents: branches
    agents_per_test: 3
  - {name: delegation, type: dns-trace, targets: [example.com A], agents: cities}
  - {name: signatures, type: dnssec, targets: [example.com A], agents: cities}
  - name: depot
    type: ftp-server
    targets: ["ftp://depot.example.org/index.txt"]
    agents: offices
    options: {username: anonymous, password: guest, requestType: download}
    layers: [ftp-server]
  - name: registration
    type: sip-server
    targets: [{name: registrar, sipRegistrar: sip.example.com, port: 5061, protocol: tls}]
    agents: offices
    layers: [sip-server]
  - name: login
    type: web-transactions
    targets: [{name: login, url: "https://shop.example.com/login"}]
    agents: ["3"]
    options: {transactionScript: "runScript();"}
    layers: [web-transactions]
"""

# A target's name may have no control characters; the names of agents, which the world makes up, have them.
_EXPECTATIONS = """
version: 1
name: "=1+1 | **expectations** `of` <b>"
targets:
  portals:
    - {name: "=HYPERLINK(\\"http://foreign.invalid\\";\\"x\\")", url: "https://a.example/x?user=me&n=1"}
    - {name: "@SUM(A1:A9), \\"quoted\\"", url: "https://b.example"}
    - {name: "[click](javascript:alert(1)) | `code` & <i>", url: "https://c.example"}
    - {name: "-2+3 https://me:secret@d.example ]]>", url: "https://d.example"}
    - {name: "Zürich 東京 🚦", url: "https://e.example"}
tests:
  - name: "+web | *slow* & <fast>"
    type: http-server
    targets: portals
    agents: ["3", "4", "5", "9"]
    layers: [http-server, network]
    expect:
      - http-server.responseCode == 200
      - http-server.totalTime < 180 ms
    warn:
      - network.loss <= 0
      - network.avgLatency < 40 ms
  - name: reach
    type: agent-to-server
    targets: ["gate.example:443"]
    agents: ["10", "11", "12", "13", "14", "15", "16", "17"]
    expect: network.loss < 50
    warn: [path-vis.numberOfHops <= 9, network.jitter < 0.5 ms]
deadline: 30m
"""

# Agents 1009 and 1020 are offline and 1015 is disabled.
_FAULTS = """
version: 1
name: faults
agents:
  branches: {id: ["1003", "1004", "1009", "1015", "1020", "2002"]}
tests:
  - name: web
    type: http-server
    targets: [https://a.example, https://b.example, https://fail.example, https://nowhere.invalid]
    agents: ["3", "4", "5", branches]
    layers: [http-server, network]
    expect: http-server.responseCode == 200
  - name: reach
    type: agent-to-server
    targets: ["c.example:443", "fail.example.net:443", "d.example:22"]
    agents: ["3", "4"]
    warn: network.loss < 1
  - {name: names, type: dns-trace, targets: [example.com A, example.net MX], agents: ["5", branches]}
  - name: pages
    type: page-load
    targets: [https://e.example]
    agents: ["3", "5"]
    layers: [page-load, network]
deadline: 30m
"""

_RERUN = """
version: 1
name: again and again
tests:
  - name: web
    type: http-server
    targets: [https://a.example, https://b.example, https://c.example]
    agents: ["3", "4", "5"]
    layers: [http-server, network]
    expect: http-server.totalTime < 400 ms
  - name: reach
    type: agent-to-server
    targets: ["d.example:443"]
    agents: ["3", "1001", "1009"]
"""

# Agent 2001 is a cluster and 1001 the target of its own test: it is left out there.
_PATHS = """
version: 1
name: paths
tests:
  - name: between
    type: agent-to-agent
    targets: [hq-london, "1002"]
    agents: ["1001", "1003", "2001"]
    options: {direction: bidirectional, protocol: udp}
    path_details: true
    warn: [network.jitter < 5 ms, path-vis.numberOfHops <= 12]
  - name: name servers
    type: dns-server
    targets: [example.com A, {name: mail, domain: example.com MX}]
    agents: ["3", "5", "1003"]
    options: {dnsServers: [ns1.example.com, ns2.example.net]}
    path_details: true
    expect: dns-server.resolutionTime < 2s
    warn: dns-server.resolutionTime < 40 ms
  - name: one server is down
    type: dns-server
    targets: [example.org A]
    agents: ["3", "5"]
    options: {dnsServers: [ns1.example.org, down.example.org]}
    layers: [dns-server]
    expect: dns-server.resolutionTime < 2s
  - name: gate
    type: agent-to-server
    targets: ["gate.example.net:443"]
    agents: ["3", "1003"]
    options: {numPathTraces: 2}
    path_details: true
  - name: calls
    type: voice
    targets: [hq-new-york]
    agents: ["1001", "1003"]
    warn: rtp-server.mos >= 4
"""

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("clean", _CLEAN, {"seed": 11}),
        Scenario(
            "expectations",
            _EXPECTATIONS,
            {"seed": 12, "trouble": 0.3, "error_rate": 0.1, "faults": ["hostile"], "links": "complete"},
            told_as_real=True,
        ),
        Scenario(
            "faults",
            _FAULTS,
            {
                "seed": 13,
                "faults": [
                    {"kind": "reset-after", "match": "create", "nth": 2},
                    {"kind": "404", "match": "create", "nth": 4},
                    {"kind": "429", "match": "create", "nth": 5},
                    {"kind": "502", "match": "read", "nth": 3},
                    {"kind": "silent-agent", "target": "4"},
                    {"kind": "silent-layer", "layer": "network", "type": "page-load"},
                ],
            },
            told_as_real=True,
        ),
        Scenario(
            "rerun",
            _RERUN,
            {"seed": 14, "trouble": 0.2, "faults": [{"kind": "404", "match": "rerun", "nth": 2}]},
            rerun=True,
        ),
        Scenario("paths", _PATHS, {"seed": 15, "numbers_as_strings": True, "shared_rounds": False}),
    )
}
