"""The twelve kinds of instant tests (api-facts 1.1, 1.3, 7.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from orchestrator.testtypes import options as o
from orchestrator.testtypes.shape import Kind, Option, TestType, V6Form

_BELOW = ("network", "path-vis")
_RECORD_TYPE = {"recordType": "the record type belongs to the domain: 'example.com A'"}
_IN_CREDENTIALS = "it belongs into targetSipCredentials"


def _type(
    name: str,
    bare: str,
    layers: tuple[str, ...],
    *options: Option,
    v6_name: str | None = "",
    limit: str | None = None,
    **facts: Any,  # noqa: ANN401 - fields of a test type of many types, each by its name
) -> TestType:
    table = {option.name: option for option in (*options, *o.COMMON)}
    return TestType(
        name=name,
        v6_name=name if v6_name == "" else v6_name,
        bare=bare,
        options=MappingProxyType(table),
        layers=layers,
        limit=limit,
        **facts,
    )


_TIME_LIMIT = o.whole("timeLimit", "Seconds until the script is given up.", 5, 180, default=30)

_ALL = (
    _type(
        "agent-to-server",
        "server",
        _BELOW,
        o.text(
            "server",
            "Name or address; a TCP port after a colon: 'example.com:443'.",
            required=True,
        ),
        *o.NETWORK[1:],
        o.LOSS_BY_SECOND,
        o.BANDWIDTH,
        *o.without_v6(o.DSCP),
        Option("pingPayloadSize", Kind.INTEGER, "Bytes of payload.", minimum=0, maximum=1400, nullable=True),
        o.flag("continuousMode", "Continuous monitoring.", v6=False),
        # Here networkMeasurements is loss second by second (api-facts 1.2).
        always_network=True,
        v6_port_in="server",
        hints={"port": "the port belongs to the server: 'example.com:443'"},
    ),
    _type(
        "agent-to-agent",
        "targetAgentId",
        _BELOW,
        o.TARGET_AGENT,
        o.choice("direction", "Which way to measure.", "to-target", "from-target", "bidirectional"),
        o.choice("protocol", "Protocol of the measurements.", "tcp", "udp"),
        o.whole("port", "Port on the target agent.", 1, 65535, default=49153),
        o.whole("mss", "Maximum segment size, bytes.", 20, 1400),
        o.DSCP,
        *o.PATH,
        o.PACKET_RATE,
        o.flag("throughputMeasurements", "Measure throughput (not with cloud agents).", default=False),
        o.whole("throughputDuration", "Milliseconds of throughput measurement.", 5000, 30000, default=10000),
        o.whole("throughputRate", "Mbps, UDP only.", 8, 1000),
    ),
    _type(
        "dns-server",
        "domain",
        ("dns-server", *_BELOW),
        o.DOMAIN,
        o.DNS_SERVERS,
        o.DNS_TRANSPORT,
        o.DNS_CLASS,
        o.RECURSIVE,
        *o.NETWORK,
        o.BANDWIDTH,
        hints=_RECORD_TYPE,
    ),
    _type("dns-trace", "domain", ("dns-trace",), o.DOMAIN, o.DNS_TRANSPORT, o.DNS_CLASS, hints=_RECORD_TYPE),
    _type("dnssec", "domain", ("dnssec",), o.DOMAIN, o.DNS_CLASS, v6_name="dns-dnssec", hints=_RECORD_TYPE),
    _type(
        "http-server",
        "url",
        ("http-server", *_BELOW),
        o.URL,
        *o.WEB,
        o.HEADERS,
        o.POST_BODY,
        o.REQUEST_METHOD,
        o.STATUS_CODE,
        o.FOLLOW_REDIRECTS,
        o.CONTENT_REGEX,
        o.DOWNLOAD_LIMIT,
        o.DNS_OVERRIDE,
        o.CLIENT_CERTIFICATE,
        *o.without_v6(o.INCLUDE_HEADERS),
        *o.WEB_NEW,
        *o.NETWORK,
        limit="httpTimeLimit",
    ),
    _type(
        "page-load",
        "url",
        ("page-load", "http-server", *_BELOW),
        o.URL,
        *o.WEB,
        o.whole("pageLoadTimeLimit", "Seconds until the page is given up.", 5, 60, default=10),
        o.whole("pageLoadTargetTime", "Seconds in which the page should be loaded.", 1, 60),
        o.INCLUDE_HEADERS,
        *o.without_v6(
            o.STATUS_CODE,
            o.FOLLOW_REDIRECTS,
            o.CONTENT_REGEX,
            o.DOWNLOAD_LIMIT,
            o.DNS_OVERRIDE,
            o.CLIENT_CERTIFICATE,
        ),
        *o.WEB_NEW,
        *o.BROWSER,
        *o.NETWORK[:-1],  # page-load has no ipv6Policy
        limit="pageLoadTimeLimit",
    ),
    _type(
        "web-transactions",
        "url",
        ("web-transactions", *_BELOW),
        o.URL,
        o.text("transactionScript", "JavaScript of the transaction.", required=True, secret=True),
        _TIME_LIMIT,
        o.whole("targetTime", "Seconds in which the script should be done.", 1, 180, default=10),
        *o.WEB,
        o.STATUS_CODE,
        o.FOLLOW_REDIRECTS,
        o.CONTENT_REGEX,
        o.INCLUDE_HEADERS,
        o.CREDENTIALS,
        *o.without_v6(o.DOWNLOAD_LIMIT, o.DNS_OVERRIDE, o.CLIENT_CERTIFICATE),
        o.flag("flagCollectConsoleLogs", "Keep the browser's console.", default=False, v6=False),
        *o.WEB_NEW,
        *o.BROWSER,
        *o.NETWORK[:-1],
        limit="timeLimit",
    ),
    _type(
        "api",
        "url",
        ("api", *_BELOW),
        o.URL,
        o.API_REQUESTS,
        o.PREDEFINED,
        _TIME_LIMIT,
        o.whole("targetTime", "Seconds in which all steps should be done; 0 is half of the limit.", 0, 60),
        o.FOLLOW_REDIRECTS,
        o.SSL_VERSION,
        o.CLIENT_CERTIFICATE,
        o.text("clientCertDomainsAllowList", "Domains that may see the client certificate.", v6=False),
        o.CREDENTIALS,
        o.VAULT,
        o.COLLECT_PROXY,
        o.TRACING,
        *o.PROXY,
        *o.NETWORK[:-2],
        v6_name=None,
        limit="timeLimit",
    ),
    _type(
        "ftp-server",
        "url",
        ("ftp-server", *_BELOW),
        o.URL,
        o.required(o.USERNAME),
        o.required(o.PASSWORD),
        o.required(
            o.choice("requestType", "What to do.", "download", "upload", "list", form=V6Form.CAPITALIZED)
        ),
        o.whole("ftpTimeLimit", "Seconds until the request is given up.", 10, 60, default=10),
        o.whole("ftpTargetTime", "Milliseconds in which it should be done.", 1000, 6000),
        o.flag("useActiveFtp", "Active instead of passive FTP.", default=False),
        o.flag("useExplicitFtps", "Explicit FTPS."),
        o.DOWNLOAD_LIMIT,
        *o.without_v6(o.BANDWIDTH),
        *o.NETWORK,
        limit="ftpTimeLimit",
        schemes=("ftp", "ftps", "sftp"),
    ),
    _type(
        "sip-server",
        "sipRegistrar",
        ("sip-server", *_BELOW),
        o.SIP_CREDENTIALS,
        # The v7 text says milliseconds, the values and v6 say seconds (api-facts 1.3).
        o.whole("sipTimeLimit", "Seconds until the request is given up.", 5, 10, default=5),
        o.whole("sipTargetTime", "Milliseconds in which it should be done.", 100, 5000),
        o.flag("registerEnabled", "Register at the server.", default=False),
        o.text("optionsRegex", "Regular expression that the answer to OPTIONS must match."),
        o.NETWORK_MEASUREMENTS,
        o.MTU,
        *o.without_v6(o.NUM_PATH_TRACES),
        o.PATH_TRACE_MODE,
        *o.without_v6(o.PROBE_MODE),
        o.PACKET_RATE,
        o.IPV6_POLICY,
        limit="sipTimeLimit",
        nested="targetSipCredentials",
        hints={"port": _IN_CREDENTIALS, "protocol": _IN_CREDENTIALS},
        # The v6 reference wants them at the top level as well as in the credentials.
        v6_repeated=("port", "sipRegistrar"),
    ),
    _type(
        "voice",
        "targetAgentId",
        ("rtp-server", "path-vis"),
        o.TARGET_AGENT,
        Option("codecId", Kind.ID, "Codec of the stream.", v6="codecId", v6_form=V6Form.INTEGER),
        replace(o.DSCP, v6_default=0),  # 0 in v7, 46 in v6 (api-facts 1.3, 7.4)
        o.whole("duration", "Seconds of the stream.", 5, 30, default=5),
        o.whole("jitterBuffer", "Milliseconds of de-jitter buffer.", 0, 150, default=40),
        o.whole("port", "Port on the target agent.", 1024, 65535, v6=False),
        o.NUM_PATH_TRACES,
        limit="duration",
    ),
)

TEST_TYPES: Mapping[str, TestType] = MappingProxyType({kind.name: kind for kind in _ALL})

# What people mostly mean by an address, and by a host, where they do not say.
WEB_TYPE, HOST_TYPE = "http-server", "agent-to-server"

# Set by the server (api-facts 1.2).
READ_ONLY = frozenset(
    {
        "testId",
        "type",
        "createdBy",
        "createdDate",
        "modifiedBy",
        "modifiedDate",
        "liveShare",
        "savedEvent",
        "_links",
        "apiLinks",
        "dscp",
        "codec",
        "sslVersion",
    }
)
# Set by us for every test.
OURS = frozenset({"agents", "testName"})
# Known from scheduled tests; the instant schemas do not have them (api-facts 1.2).
SCHEDULED_ONLY = frozenset(
    {
        "interval",
        "subinterval",
        "httpInterval",
        "alertsEnabled",
        "alertRules",
        "enabled",
        "bgpMeasurements",
        "bgpMonitors",
        "usePublicBgp",
        "monitors",
    }
)
