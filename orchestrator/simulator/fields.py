"""What a creation may say: the fields of every type with their limits, as the vendor documents them (v7).

Written from the vendor's OpenAPI document (7.0.85) and the newer SDK (7.0.110); what either knows is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """What one field may hold. ``kind`` is bool, int, str, enum, strs, ids, obj, objs or agents."""

    kind: str
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()
    required: bool = False
    inner: Mapping[str, Rule] | None = None
    default: object = None
    write_only: bool = False
    # Types of the wire in v6, where they are not the mechanical ones (see v6.py).
    number_in_v6: bool = False


def flag(default: bool | None = None) -> Rule:
    return Rule("bool", default=default)


def whole(low: int | None = None, high: int | None = None, default: int | None = None) -> Rule:
    return Rule("int", low, high, default=default)


def text(*, required: bool = False, write_only: bool = False, default: str | None = None) -> Rule:
    return Rule("str", required=required, write_only=write_only, default=default)


def one_of(*choices: str, default: str | None = None, required: bool = False, number: bool = False) -> Rule:
    return Rule("enum", choices=choices, default=default, required=required, number_in_v6=number)


# The server sets these; a client that sends them is refused.
READ_ONLY: Final = frozenset(
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
        "dscp",
        "codec",
        "sslVersion",
    }
)

_DSCP = (
    *("0", "8", "16", "24", "32", "40", "48", "56", "10", "12", "14"),
    *("18", "20", "22", "26", "28", "30", "34", "36", "38", "46", "44"),
)
_COMMON: Final = {
    "agents": Rule("agents", required=True),
    "testName": text(),
    "description": text(),
    "labels": Rule("strs", write_only=True),
    "tags": Rule("strs", write_only=True),
    "sharedWithAccounts": Rule("strs", write_only=True),
    "randomizedStartTime": flag(False),
}
_TRACES: Final = {
    "numPathTraces": whole(1, 10, 3),
    "pathTraceMode": one_of("classic", "in-session", default="classic"),
}
_NETWORK: Final = {
    **_TRACES,
    "networkMeasurements": flag(True),
    "mtuMeasurements": flag(),
    "probeMode": one_of("auto", "sack", "syn", default="auto"),
}
_PROTOCOL: Final = {"protocol": one_of("tcp", "icmp", "udp", default="tcp")}
_BANDWIDTH: Final = {"bandwidthMeasurements": flag(), "fixedPacketRate": whole(0, 100)}
_IPV6: Final = {
    "ipv6Policy": one_of(
        "force-ipv4", "prefer-ipv6", "force-ipv6", "use-agent-policy", default="use-agent-policy"
    )
}
_DSCP_ID: Final = {"dscpId": one_of(*_DSCP, default="0", number=True)}
_SSL: Final = {"sslVersionId": one_of("0", "3", "4", "5", "6", "7", default="0", number=True)}
_OAUTH: Final = {
    "testUrl": text(),
    "requestMethod": one_of("get", "post"),
    "postBody": text(),
    "headers": text(),
    "authType": one_of("none", "basic", "ntlm"),
    "username": text(),
    "password": text(write_only=True),
}
_PROXY: Final = {
    "overrideAgentProxy": flag(False),
    "overrideProxyId": text(),
    "collectProxyNetworkData": flag(False),
}
_HTTP: Final = {
    **_COMMON,
    **_NETWORK,
    **_PROTOCOL,
    **_BANDWIDTH,
    **_SSL,
    **_PROXY,
    "url": text(required=True),
    "agentInterfaces": Rule("any"),
    "authType": one_of("none", "basic", "ntlm", "kerberos", "oauth", default="none"),
    "username": text(),
    "password": text(write_only=True),
    "useNtlm": flag(),
    "oAuth": Rule("obj", inner=_OAUTH),
    "clientCertificate": text(write_only=True),
    "contentRegex": text(),
    "customHeaders": Rule("obj"),
    "desiredStatusCode": text(default="default"),
    "distributedTracing": flag(),
    "downloadLimit": whole(0),
    "dnsOverride": text(),
    "httpTargetTime": whole(100, 5000),
    "httpTimeLimit": whole(5, 60, 5),
    "httpVersion": whole(1, 2, 2),
    "includeHeaders": flag(True),
    "userAgent": text(),
    "verifyCertificate": flag(False),
    "allowUnsafeLegacyRenegotiation": flag(True),
    "followRedirects": flag(True),
    "vaultCredentials": Rule("objs"),
}
_BROWSER: Final = {
    **_HTTP,
    "emulatedDeviceId": text(),
    "blockDomains": text(),
    "disableScreenshot": flag(False),
    "allowMicAndCamera": flag(False),
    "allowGeolocation": flag(False),
    "browserLanguage": text(),
    "chromeOptions": text(),
    "chromePolicies": text(),
    "chromiumTrack": one_of("stable", "latest"),
    "pageLoadingStrategy": one_of("normal", "eager", "none", default="normal"),
    "identifyAgentTrafficWithUserAgent": flag(False),
}
_DNS_CLASS: Final = {"dnsQueryClass": one_of("in", "ch")}
_DNS_TRANSPORT: Final = {"dnsTransportProtocol": one_of("udp", "tcp", default="udp")}
_API_REQUEST: Final = {
    "name": text(required=True),
    "url": text(required=True),
    "method": one_of("get", "post", "put", "delete", "patch"),
    "headers": Rule("objs"),
    "body": text(),
    "authType": one_of("none", "basic", "bearer-token", "oauth2"),
    "username": text(),
    "password": text(write_only=True),
    "bearerToken": text(write_only=True),
    "clientId": text(write_only=True),
    "clientSecret": text(write_only=True),
    "assertions": Rule(
        "objs",
        inner={
            "name": one_of("status-code", "response-body"),
            "operator": one_of("is", "is-not", "includes", "not-includes", "matches", "not-matches"),
            "value": text(),
        },
    ),
    "variables": Rule("objs", inner={"name": text(), "value": text()}),
    "waitTimeMs": whole(0),
    "collectApiResponse": flag(True),
    "verifyCertificate": flag(),
}
_SIP: Final = {
    "port": Rule("int", 1, 65535, required=True),
    "sipRegistrar": text(),
    "protocol": one_of("tcp", "tls", "udp"),
    "authUser": text(),
    "user": text(),
    "password": text(write_only=True),
}

FIELDS: Final[Mapping[str, Mapping[str, Rule]]] = MappingProxyType(
    {
        "agent-to-server": {
            **_COMMON,
            **_NETWORK,
            **_PROTOCOL,
            **_BANDWIDTH,
            **_DSCP_ID,
            **_IPV6,
            "server": text(required=True),
            "continuousMode": flag(),
            "pingPayloadSize": whole(0, 1400),
            # Here the name means the one-second loss view, which is off by default.
            "networkMeasurements": flag(False),
        },
        "agent-to-agent": {
            **_COMMON,
            **_TRACES,
            **_DSCP_ID,
            "fixedPacketRate": whole(0, 100),
            "targetAgentId": Rule("str", required=True, number_in_v6=True),
            "direction": one_of("to-target", "from-target", "bidirectional", default="to-target"),
            "protocol": one_of("tcp", "udp", default="tcp"),
            "port": whole(1, 65535, 49153),
            "mss": whole(20, 1400),
            "throughputMeasurements": flag(False),
            "throughputDuration": whole(5000, 30000, 10000),
            "throughputRate": whole(8, 1000),
        },
        "dns-server": {
            **_COMMON,
            **_NETWORK,
            **_PROTOCOL,
            **_BANDWIDTH,
            **_IPV6,
            **_DNS_CLASS,
            **_DNS_TRANSPORT,
            "domain": text(required=True),
            "dnsServers": Rule("strs", required=True),
            "recursiveQueries": flag(),
        },
        "dns-trace": {**_COMMON, **_DNS_CLASS, **_DNS_TRANSPORT, "domain": text(required=True)},
        "dnssec": {**_COMMON, **_DNS_CLASS, "domain": text(required=True)},
        "http-server": {
            **_HTTP,
            **_IPV6,
            "headers": Rule("strs"),
            "postBody": text(),
            "requestMethod": one_of("get", "post"),
        },
        "page-load": {
            **_BROWSER,
            "pageLoadTimeLimit": whole(5, 60, 10),
            "pageLoadTargetTime": whole(1, 60),
        },
        "web-transactions": {
            **_BROWSER,
            "transactionScript": text(required=True),
            "timeLimit": whole(5, 180, 30),
            "targetTime": whole(1, 180, 10),
            "credentials": Rule("strs"),
            "flagCollectConsoleLogs": flag(),
        },
        "api": {
            **_COMMON,
            **_NETWORK,
            **_PROTOCOL,
            **_SSL,
            **_PROXY,
            "url": text(required=True),
            "requests": Rule("objs", required=True, inner=_API_REQUEST),
            "predefinedVariables": Rule("objs", inner={"name": text(), "value": text()}),
            "clientCertificate": text(write_only=True),
            "clientCertDomainsAllowList": text(),
            "distributedTracing": flag(),
            "followRedirects": flag(True),
            "timeLimit": whole(5, 180, 30),
            "targetTime": whole(0, 60),
            "credentials": Rule("strs"),
            "vaultCredentials": Rule("objs"),
        },
        "ftp-server": {
            **_COMMON,
            **_NETWORK,
            **_PROTOCOL,
            **_BANDWIDTH,
            **_IPV6,
            "url": text(required=True),
            "username": text(required=True),
            "password": text(required=True, write_only=True),
            "requestType": one_of("download", "upload", "list", required=True),
            "ftpTimeLimit": whole(10, 60, 10),
            "ftpTargetTime": whole(1000, 6000),
            "useActiveFtp": flag(False),
            "useExplicitFtps": flag(),
            "downloadLimit": whole(0),
        },
        "sip-server": {
            **_COMMON,
            **_NETWORK,
            **_IPV6,
            "fixedPacketRate": whole(0, 100),
            "targetSipCredentials": Rule("obj", required=True, inner=_SIP),
            # The schema calls a top-level port required but defines it only in the credentials.
            "port": whole(1, 65535),
            "sipTimeLimit": whole(5, 10, 5),
            "sipTargetTime": whole(100, 5000),
            "registerEnabled": flag(False),
            "optionsRegex": text(),
        },
        "voice": {
            **_COMMON,
            **_DSCP_ID,
            "numPathTraces": whole(1, 10, 3),
            "targetAgentId": Rule("str", required=True, number_in_v6=True),
            "codecId": Rule("str", number_in_v6=True),
            "duration": whole(5, 30, 5),
            "jitterBuffer": whole(0, 150, 40),
            "port": whole(1024, 65535),
        },
    }
)
