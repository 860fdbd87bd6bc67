"""The request fields, by group, as both API versions document them (api-facts 1.2 to 1.4, 7.4).

Limits are those of the v7 schema. A v6 form stands where the v6 reference lists the field for the type;
the same field can exist in v6 for one type and not for another, hence :func:`without_v6`.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from orchestrator.testtypes.shape import Kind, Option, V6Form

# --- small makers: one line per field ------------------------------------------------------------


def _text(name: str, doc: str, *, v6: bool = True, required: bool = False, secret: bool = False) -> Option:
    return Option(name, Kind.STRING, doc, required=required, secret=secret, v6=name if v6 else None)


def _flag(name: str, doc: str, *, default: bool | None = None, v6: bool = True) -> Option:
    return Option(name, Kind.BOOLEAN, doc, default=default, v6=name if v6 else None, v6_form=V6Form.FLAG)


def _whole(
    name: str,
    doc: str,
    minimum: int | None = None,
    maximum: int | None = None,
    *,
    default: int | None = None,
    v6: bool = True,
    required: bool = False,
) -> Option:
    return Option(
        name,
        Kind.INTEGER,
        doc,
        required=required,
        minimum=minimum,
        maximum=maximum,
        default=default,
        v6=name if v6 else None,
    )


def _choice(
    name: str,
    doc: str,
    *choices: str,
    default: str | None = None,
    form: V6Form = V6Form.UPPER,
    v6: bool = True,
) -> Option:
    return Option(
        name, Kind.STRING, doc, choices=choices, default=default, v6=name if v6 else None, v6_form=form
    )


def _nested(
    name: str, kind: Kind, doc: str, *fields: Option, v6: bool = False, required: bool = False
) -> Option:
    return Option(
        name,
        kind,
        doc,
        required=required,
        v6=name if v6 else None,
        v6_form=V6Form.NESTED,
        fields=MappingProxyType({inner.name: inner for inner in fields}),
    )


def required(option: Option) -> Option:
    """The same field where a type cannot do without it."""
    return replace(option, required=True)


def without_v6(*options: Option) -> tuple[Option, ...]:
    """The same fields where v6 does not list them for a type."""
    return tuple(replace(option, v6=None) for option in options)


# --- for every type ------------------------------------------------------------------------------

COMMON = (
    _text("description", "Free text kept with the test."),
    Option("labels", Kind.IDS, "Ids of labels to put on the test.", v6="groups", v6_form=V6Form.GROUPS),
    Option("tags", Kind.IDS, "Ids of tags to put on the test."),
    Option(
        "sharedWithAccounts",
        Kind.IDS,
        "Ids of account groups that may see the test.",
        v6="sharedWithAccounts",
        v6_form=V6Form.ACCOUNTS,
    ),
    _flag("randomizedStartTime", "Let each agent start at a random moment.", default=False, v6=False),
)

# --- the network below a test --------------------------------------------------------------------

NETWORK_MEASUREMENTS = _flag(
    "networkMeasurements",
    "Measure the network to the target too (layers network and path-vis).",
    default=True,
)
LOSS_BY_SECOND = _flag("networkMeasurements", "Show packet loss second by second.", default=False, v6=False)
MTU = _flag("mtuMeasurements", "Measure MTU sizes on the way to the target.")
BANDWIDTH = _flag("bandwidthMeasurements", "Measure bandwidth (Enterprise Agents only).")
NUM_PATH_TRACES = _whole("numPathTraces", "Path traces per agent.", 1, 10, default=3)
PATH_TRACE_MODE = _choice(
    "pathTraceMode", "Trace apart, or within a TCP session.", "classic", "in-session", form=V6Form.CAMEL
)
PROBE_MODE = _choice("probeMode", "How TCP probes are sent.", "auto", "sack", "syn")
PROTOCOL = _choice("protocol", "Protocol of the network measurements.", "tcp", "icmp", "udp", default="tcp")
PACKET_RATE = _whole("fixedPacketRate", "Probes a second.", 0, 100, v6=False)
IPV6_POLICY = _choice(
    "ipv6Policy",
    "Which IP version the agents use.",
    "force-ipv4",
    "prefer-ipv6",
    "force-ipv6",
    "use-agent-policy",
    v6=False,
)
# The ids that the vendor lists for DSCP; the number is the code point.
_DSCP_IDS = ("0", "8", *(str(point) for point in range(10, 41, 2)), "44", "46", "48", "56")
DSCP = Option(
    "dscpId",
    Kind.ID,
    "Differentiated services code point.",
    choices=_DSCP_IDS,
    v6="dscpId",
    v6_form=V6Form.INTEGER,
)
TARGET_AGENT = Option(
    "targetAgentId",
    Kind.ID,
    "Id of the agent that is the target; in a plan also its name.",
    required=True,
    v6="targetAgentId",
    v6_form=V6Form.INTEGER,
)

PATH = (NUM_PATH_TRACES, PATH_TRACE_MODE)
NETWORK = (NETWORK_MEASUREMENTS, MTU, *PATH, PROBE_MODE, PROTOCOL, PACKET_RATE, IPV6_POLICY)

# --- DNS -----------------------------------------------------------------------------------------

DOMAIN = _text("domain", "Name to resolve and, after a blank, the record type: 'a.example A'.", required=True)
DNS_TRANSPORT = _choice("dnsTransportProtocol", "Transport of the DNS queries.", "udp", "tcp")
DNS_CLASS = _choice("dnsQueryClass", "Class of the DNS queries.", "in", "ch", v6=False)
DNS_SERVERS = Option(
    "dnsServers",
    Kind.STRINGS,
    "Name servers to ask, each one by itself.",
    required=True,
    v6="dnsServers",
    v6_form=V6Form.SERVERS,
)
RECURSIVE = _flag("recursiveQueries", "Ask for recursion.")

# --- web -----------------------------------------------------------------------------------------

URL = _text("url", "Address to fetch.", required=True)
USERNAME = _text("username", "User for authentication.")
PASSWORD = _text("password", "Password for authentication.", secret=True)
DOWNLOAD_LIMIT = _whole("downloadLimit", "Bytes to fetch at most.", 1)
CONTENT_REGEX = _text("contentRegex", "Regular expression that the content must match.")
STATUS_CODE = Option(
    "desiredStatusCode",
    Kind.ID,
    "Status that counts as success (default 2xx, 3xx).",
    v6="desiredStatusCode",
)
FOLLOW_REDIRECTS = _flag("followRedirects", "Follow redirects.", default=True)
# Off in v7, on in v6 (api-facts 1.3, 7.4).
VERIFY_CERTIFICATE = replace(
    _flag("verifyCertificate", "Take certificate errors seriously.", default=False), v6_default=0
)
HTTP_TIME_LIMIT = _whole("httpTimeLimit", "Seconds until the HTTP request is given up.", 5, 60, default=5)
HEADERS = Option("headers", Kind.STRINGS, "Request headers, each 'Name: value'.", secret=True, v6="headers")
CUSTOM_HEADERS = Option(
    "customHeaders",
    Kind.OBJECT,
    "Request headers for the first request, for all, or by domain.",
    secret=True,
    v6="customHeaders",
    fields=MappingProxyType(
        {
            "root": Option("root", Kind.FREE, "For the first request.", v6="root"),
            "all": Option("all", Kind.FREE, "For all requests.", v6="all"),
            "domains": Option("domains", Kind.FREE, "By domain.", v6="domains"),
        }
    ),
)
POST_BODY = _text("postBody", "Body to send; a body makes the request a POST.", secret=True)
CLIENT_CERTIFICATE = _text("clientCertificate", "Client certificate (PEM), private key first.", secret=True)
DNS_OVERRIDE = _text("dnsOverride", "IP address to use instead of what DNS says.")
SSL_VERSION = Option(
    "sslVersionId",
    Kind.ID,
    "TLS version: 0 any, 3 SSLv3, 4 TLS 1.0, 5 TLS 1.1, 6 TLS 1.2, 7 TLS 1.3.",
    choices=("0", "3", "4", "5", "6", "7"),
    v6="sslVersionId",
    v6_form=V6Form.INTEGER,
)
AUTH_TYPE = _choice("authType", "Kind of authentication.", "none", "basic", "ntlm", "kerberos", "oauth")
REQUEST_METHOD = _choice("requestMethod", "HTTP method.", "get", "post", v6=False)
OAUTH = _nested(
    "oAuth",
    Kind.OBJECT,
    "How to get an OAuth token.",
    _text("testUrl", "Address that gives the token.", v6=False),
    _choice("requestMethod", "HTTP method.", "get", "post", v6=False),
    _text("postBody", "Body to send.", v6=False, secret=True),
    _text("headers", "Headers to send.", v6=False, secret=True),
    _choice("authType", "Kind of authentication.", "none", "basic", "ntlm", v6=False),
    _text("username", "User.", v6=False),
    _text("password", "Password.", v6=False, secret=True),
)
VAULT = _nested(
    "vaultCredentials",
    Kind.OBJECTS,
    "Credentials from an external vault.",
    _text("secretId", "Id of the secret.", v6=False),
    _choice("target", "What it fills.", "username", "password", "script", v6=False),
)
CREDENTIALS = Option(
    "credentials",
    Kind.IDS,
    "Ids of stored credentials that the script may use.",
    v6="credentials",
    v6_form=V6Form.INTEGERS,
)
COLLECT_PROXY = _flag("collectProxyNetworkData", "Measure the network to the proxy.", default=False, v6=False)
TRACING = _flag("distributedTracing", "Add distributed tracing headers.", v6=False)
PROXY = (
    _flag("overrideAgentProxy", "Use another proxy than the agent's own.", default=False, v6=False),
    Option("overrideProxyId", Kind.ID, "Id of that proxy."),
)
# What http-server, page-load and web-transactions share and v6 lists for all three.
WEB = (
    HTTP_TIME_LIMIT,
    _whole("httpTargetTime", "Milliseconds in which the HTTP request should be done.", 100, 5000),
    _whole("httpVersion", "1 for HTTP/1.1 only, 2 to prefer HTTP/2.", 1, 2, default=2),
    AUTH_TYPE,
    USERNAME,
    PASSWORD,
    _flag("useNtlm", "NTLM instead of basic authentication."),
    _text("userAgent", "User agent to send."),
    CUSTOM_HEADERS,
    SSL_VERSION,
    VERIFY_CERTIFICATE,
    BANDWIDTH,
)
# v7 only, whatever the web type.
WEB_NEW = (
    _flag("allowUnsafeLegacyRenegotiation", "Allow old TLS renegotiation.", default=True, v6=False),
    COLLECT_PROXY,
    TRACING,
    OAUTH,
    VAULT,
    *PROXY,
)
INCLUDE_HEADERS = _flag("includeHeaders", "Keep response headers.", default=True)
BROWSER = (
    _flag("allowGeolocation", "Let pages see the agent's place.", default=False, v6=False),
    _flag("allowMicAndCamera", "Give pages a fake microphone and camera.", default=False, v6=False),
    _text("blockDomains", "Domains to leave out.", v6=False),
    _text("browserLanguage", "Language of the browser.", v6=False),
    _text("chromeOptions", "Command-line options for the browser.", v6=False),
    _text("chromePolicies", "Browser policies as JSON text.", v6=False),
    _choice("chromiumTrack", "Browser version.", "stable", "latest", v6=False),
    _flag("disableScreenshot", "Take no screenshot.", default=False, v6=False),
    Option("emulatedDeviceId", Kind.ID, "Device to emulate."),
    _flag(
        "identifyAgentTrafficWithUserAgent",
        "Name the agent in User-Agent.",
        default=False,
        v6=False,
    ),
    _choice("pageLoadingStrategy", "When a page counts as loaded.", "normal", "eager", "none", v6=False),
)

# --- api, ftp, voice -----------------------------------------------------------------------------

API_REQUESTS = _nested(
    "requests",
    Kind.OBJECTS,
    "The steps, in order.",
    _text("name", "Name of the step.", v6=False, required=True),
    _text("url", "Address of the step.", v6=False, required=True),
    _choice("method", "HTTP method.", "get", "post", "put", "delete", "patch", v6=False),
    Option(
        "headers",
        Kind.OBJECTS,
        "Headers to send.",
        secret=True,
        fields=MappingProxyType(
            {
                "key": _text("key", "Name.", v6=False),
                "value": _text("value", "Value.", v6=False),
            }
        ),
    ),
    _text("body", "Body to send.", v6=False, secret=True),
    _choice("authType", "Kind of authentication.", "none", "basic", "bearer-token", "oauth2", v6=False),
    _text("username", "User.", v6=False),
    _text("password", "Password.", v6=False, secret=True),
    _text("bearerToken", "Bearer token.", v6=False, secret=True),
    _choice("clientAuthentication", "Where client credentials go.", "basic-auth-header", "in-body", v6=False),
    _text("clientId", "OAuth client id.", v6=False),
    _text("clientSecret", "OAuth client secret.", v6=False, secret=True),
    _text("tokenUrl", "OAuth token address.", v6=False),
    _text("scope", "OAuth scope.", v6=False),
    _nested(
        "assertions",
        Kind.OBJECTS,
        "What must hold of the answer.",
        _choice("name", "What is looked at.", "status-code", "response-body", v6=False),
        _choice(
            "operator",
            "How it is compared.",
            "is",
            "is-not",
            "includes",
            "not-includes",
            "matches",
            "not-matches",
            v6=False,
        ),
        Option("value", Kind.ID, "What it is compared with."),
    ),
    _nested(
        "variables",
        Kind.OBJECTS,
        "What to take from the answer for later steps.",
        _text("name", "Name.", v6=False),
        _text("value", "JSON path.", v6=False),
    ),
    _flag("verifyCertificate", "Take certificate errors seriously.", default=False, v6=False),
    _flag("collectApiResponse", "Keep the answer.", default=True, v6=False),
    _whole("waitTimeMs", "Milliseconds to wait before the step.", 0, v6=False),
    required=True,
)
PREDEFINED = _nested(
    "predefinedVariables",
    Kind.OBJECTS,
    "Variables for all steps.",
    _text("name", "Name.", v6=False),
    _text("value", "Value.", v6=False, secret=True),
)
SIP_CREDENTIALS = _nested(
    "targetSipCredentials",
    Kind.OBJECT,
    "The SIP server and how to register there.",
    _whole("port", "Port.", 1, 65535, required=True),
    _text("sipRegistrar", "Name or address of the SIP server."),
    _choice("protocol", "Transport.", "tcp", "tls", "udp", default="tcp"),
    _text("authUser", "User for authentication."),
    _text("user", "User for registration."),
    _text("password", "Password.", secret=True),
    v6=True,
    required=True,
)
whole, flag, text, choice = _whole, _flag, _text, _choice
