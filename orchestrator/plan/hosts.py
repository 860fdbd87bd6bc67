"""Hosts, ports, URLs and DNS names as a test can reach them: what no agent could ever reach is told here.

Pure. Each reader returns the address as it is sent (international names in their ``xn--`` form) or raises
:class:`AddressInvalid` with a sentence that says what is wrong and, where one is near, what was meant. Only
the impossible is refused: whether a host exists is for the agents to find out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from types import MappingProxyType

import idna

from orchestrator.plan.problems import nearest, quoted
from orchestrator.safe import MASK

ADDRESS_LIMIT = 2_000
_NAME_LIMIT, _LABEL_LIMIT = 253, 63  # RFC 1035, section 2.3.4
_EMPTY = "(is a variable empty?)"
_QUOTES = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2018\u2019\u201a\u201b\u2039\u203a\"'`"
_TYPED_QUOTES = "\"'`"  # these may stand inside a path
_SCHEMES = ("https", "http", "ftps", "sftp", "ftp")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_CROOKED_SCHEME = re.compile(rf"({'|'.join(_SCHEMES)})(:[:/\\]*|[.;,]?[/\\]{{2,}})(?=[^:/\\])", re.IGNORECASE)
_NO_WEB = re.compile(r"(?:mailto|tel|sips?):(?![0-9]+(?:/|$))", re.IGNORECASE)
_HOST_PORT = re.compile(r"[^:]+:[0-9]{1,5}(/|$)")  # a host may be called http
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_ADDRESS_AND_WORD = re.compile(r"([0-9]+\.[0-9]+\.[0-9]+\.[0-9]+)([A-Za-z_-].*)", re.DOTALL)
# With a prefix or a mask, and perhaps with a port that the plan adds.
_NETWORK = re.compile(r"([0-9A-Fa-f:.]+)/([0-9]{1,3}|255\.[0-9.]+)(?::[0-9]+)?")
# People write the names of services where a number is wanted.
_SERVICES: Mapping[str, int] = MappingProxyType(
    {"ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "dns": 53, "domain": 53, "http": 80, "pop3": 110}
    | {"imap": 143, "ldap": 389, "https": 443, "smb": 445, "ldaps": 636, "imaps": 993, "rdp": 3389}
    | {"sip": 5060, "sips": 5061}
)
# The types of the IANA registry that a resolver can be asked for, and the vendor's default ANY.
RECORD_TYPES = frozenset(
    re.findall(
        r"\S+",
        """
        A AAAA AFSDB ANY APL CAA CDNSKEY CDS CERT CNAME CSYNC DHCID DNAME DNSKEY DS EUI48 EUI64 HINFO HIP
        HTTPS IPSECKEY KEY KX LOC MX NAPTR NS NSEC NSEC3 NSEC3PARAM OPENPGPKEY PTR RP RRSIG SIG SMIMEA SOA
        SPF SRV SSHFP SVCB TLSA TXT URI ZONEMD
        """,
    )
)


class AddressInvalid(ValueError):
    """No test can reach this; the text says why and what was probably meant."""


def server(text: str, what: str) -> str:
    """A host, with a TCP port after a colon if it has one."""
    host, port = host_and_port(text, what)
    return host if port is None else f"{host}:{port}"


def host_and_port(text: str, what: str) -> tuple[str, int | None]:
    """The two apart; the host as it is sent."""
    _sound(text, what)
    _no_url(text, what)
    return _place(text, what)


def registrar(text: str, what: str) -> str:
    """A host alone: its port has a field of its own."""
    host, port = host_and_port(text, what)
    if port is not None:
        raise AddressInvalid(f"{what} is a host alone, the {port} of {_shown(text)} belongs into 'port'")
    return host


def address(text: str, what: str) -> str:
    """An IP address alone."""
    _sound(text, what)
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise AddressInvalid(f"{what} is an IP address, not {_shown(text)}") from None
    if "%" in text:
        raise AddressInvalid(f"{what} names an interface of one host after its '%': {_shown(text)}")
    _one_host(found, what)
    return str(found)


def url(text: str, what: str, schemes: tuple[str, ...]) -> str:
    """A URL of one of these schemes; without one the API takes ``http``."""
    _sound(text, what)
    begun = _SCHEME.match(text)
    if begun is None:
        _no_crooked_scheme(text, what)
        other = _NO_WEB.match(text)
        if other is not None:
            raise AddressInvalid(
                f"{what} begins with {'://, '.join(schemes)}://, not {quoted(other.group())}"
            )
    elif begun.group(1).lower() not in schemes:
        wanted = "://, ".join(schemes)
        begins = quoted(begun.group(1) + "://")
        near = nearest(begun.group(1) + "://", [f"{one}://" for one in schemes])
        raise AddressInvalid(f"{what} begins with {wanted}://, not {begins}{near}")
    scheme, rest = ("", text) if begun is None else (text[: begun.start(2)], begun.group(2))
    _no_second_scheme(rest, what)
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    after = rest[len(authority) :]
    if after and _is_network(authority + after.removesuffix("/")):
        raise AddressInvalid(f"{what} is a network: {_shown(text)}; a test takes one address")
    userinfo, at, place = authority.rpartition("@")
    if not place:
        raise AddressInvalid(f"{what} has no host: {_shown(text)} {_EMPTY}")
    if "@" in after and not at and ":" in place and not place.rpartition(":")[2].isdigit():
        # Nothing is quoted: what looks like a port is a piece of the password.
        raise AddressInvalid(
            f"{what} has a '/', '?' or '#' in its user or password: write it as %2F, %3F or %23"
        )
    host, port = _place(place, what, after=after, in_url=True)
    return f"{scheme}{userinfo}{at}{host}{'' if port is None else f':{port}'}{after}"


def domain(text: str, what: str) -> str:
    """A name to resolve and, after a blank, the record type."""
    _sound(text, what, blanks=True)
    _no_url(text, what, slash=True)
    name, *more = text.split()
    if len(more) > 1:
        class_ = " (the class is the option dnsQueryClass)" if more[0].upper() in {"IN", "CH"} else ""
        raise AddressInvalid(
            f"{what} is one name and one record type, not {_shown(text)}{class_}; one target for each"
        )
    if not more:
        if name in RECORD_TYPES:
            raise AddressInvalid(f"{what} has a record type and no name: {_shown(text)} {_EMPTY}")
        parts = re.fullmatch(r"(.+)[,;:/|]([A-Za-z0-9]+)", name)
        if parts is not None and parts.group(2).upper() in RECORD_TYPES:
            meant = quoted(f"{parts.group(1)} {parts.group(2).upper()}")
            raise AddressInvalid(f"{what} has a blank before its record type: did you mean {meant}?")
        return _name(name, what)
    kind = more[0]
    if kind in RECORD_TYPES:
        return f"{_name(name, what)} {kind}"
    if name.upper() in RECORD_TYPES:
        meant = quoted(f"{kind} {name.upper()}")
        raise AddressInvalid(f"{what} is a name and then the record type: did you mean {meant}?")
    if kind.upper() in RECORD_TYPES:
        meant = quoted(f"{name} {kind.upper()}")
        raise AddressInvalid(f"{what}: a record type is written in capitals, did you mean {meant}?")
    near = nearest(kind, sorted(RECORD_TYPES)) or "; such as A, AAAA, CNAME, MX, NS, SOA, SRV, TXT"
    raise AddressInvalid(f"{what}: {quoted(kind)} is no record type{near}")


def _place(text: str, what: str, *, after: str = "", in_url: bool = False) -> tuple[str, int | None]:
    """The host as it is sent, and the port if there is one. ``after`` is what follows it in a URL."""
    if text.startswith("["):
        found = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text, re.DOTALL)
        if found is None:
            raise AddressInvalid(f"{what} has a bracket that is not closed, or text after it: {_shown(text)}")
        _ipv6(found.group(1), what)
        port = None if found.group(2) is None else _port(found.group(2), what, text)
        return f"[{found.group(1)}]", port
    if text.count(":") > 1:
        return _with_colons(text, what, in_url=in_url), None
    name, colon, port_text = text.partition(":")
    if not name:
        raise AddressInvalid(f"{what} has no host: {_shown(text + after)} {_EMPTY}")
    host = _host(name, what, after=after, in_url=in_url)
    return host, _port(port_text, what, text) if colon else None


def _sound(text: str, what: str, *, blanks: bool = False) -> None:
    """Refuse what is wrong with any address: nothing in it, quotes around it, characters nobody sees."""
    if not text.strip():
        raise AddressInvalid(f"{what} is empty {_EMPTY}")
    if len(text) > ADDRESS_LIMIT:
        raise AddressInvalid(f"{what} is longer than {ADDRESS_LIMIT} characters")
    bare = text.strip().strip(_QUOTES)
    if bare != text.strip() or any(one in _QUOTES and one not in _TYPED_QUOTES for one in text):
        kept = _TYPED_QUOTES if bare == text.strip() else ""
        meant = "".join(one for one in bare if one not in _QUOTES or one in kept).strip()
        near = (
            f", did you mean {_shown(meant)}?" if re.search(r"\w", meant.partition(":")[0]) else f" {_EMPTY}"
        )
        raise AddressInvalid(f"{what} has quotation marks in it: {_shown(text)}{near}")
    for one in text:
        if not one.isprintable() and not (one.isspace() and one.isascii()):
            raise AddressInvalid(f"{what} has an invisible character in it, U+{ord(one):04X}: {_shown(text)}")
    if not blanks and re.search(r"\s", text):
        stripped = text.strip()
        near = "" if re.search(r"\s", stripped) else f", did you mean {_shown(stripped)}?"
        raise AddressInvalid(f"{what} has a blank in it: {_shown(text)}{near}")
    if not text.replace(" ", "").isprintable():
        raise AddressInvalid(f"{what} has control characters in it: {_shown(text)}")


def _no_url(text: str, what: str, *, slash: bool = False) -> None:
    """Refuse a URL, a path, a network or a mail address where a host is wanted."""
    crooked = None if _HOST_PORT.match(text) else _CROOKED_SCHEME.match(text)
    scheme = _SCHEME.match(text) or crooked
    sip = re.match(r"(sips?|tel|mailto):(?![0-9]+$)", text, re.IGNORECASE)
    if scheme is not None or sip is not None:
        begun = scheme or sip
        assert begun is not None  # noqa: S101 - one of the two
        rest = text[begun.start(2) if begun.re is _SCHEME else begun.end() :].rpartition("@")[2]
        meant = re.split(r"[/?#;]", rest, maxsplit=1)[0]
        near = f", did you mean {quoted(meant)}?" if meant else ""
        raise AddressInvalid(f"{what} is a name, not a URL: {_shown(text)}{near}")
    network = _NETWORK.fullmatch(text)
    if network is not None and _is_address(network.group(1)):
        raise AddressInvalid(f"{what} is a network: {_shown(text)}; a test takes one address")
    if "@" in text:
        meant = text.rpartition("@")[2]
        raise AddressInvalid(f"{what} is a host, without a user: did you mean {quoted(meant)}?")
    if "/" in text and not slash:
        near = quoted(text.split("/", maxsplit=1)[0])
        raise AddressInvalid(f"{what} is a host, without a path: {_shown(text)}, did you mean {near}?")


def _no_crooked_scheme(text: str, what: str) -> None:
    crooked = _CROOKED_SCHEME.match(text)
    if crooked is not None and not _HOST_PORT.match(text):
        meant = _shown(f"{crooked.group(1)}://{text[crooked.end() :]}")
        begins = quoted(crooked.group())
        raise AddressInvalid(f"{what} begins with {begins} instead of '://', did you mean {meant}?")
    if text.startswith("//"):
        raise AddressInvalid(f"{what} has no scheme: did you mean {_shown('https:' + text)}?")


def _no_second_scheme(rest: str, what: str) -> None:
    second = _SCHEME.match(rest) or _CROOKED_SCHEME.match(rest)
    if second is None:
        return
    name = second.group(1)
    if name.lower() in _SCHEMES and not _HOST_PORT.match(rest):
        raise AddressInvalid(f"{what} has a scheme twice, did you mean {_shown(rest)}?")


def _with_colons(text: str, what: str, *, in_url: bool) -> str:
    """An IPv6 address without brackets; what may as well be one with a port is refused."""
    head, _, tail = text.rpartition(":")
    port_like = tail.isascii() and tail.isdigit()
    if port_like and _is_ipv6(head):
        as_address = f", or the address '[{text}]'" if _is_ipv6(text) else ""
        raise AddressInvalid(
            f"{what} {_shown(text)} can be read in two ways: did you mean '[{head}]:{tail}'{as_address}?"
        )
    if _is_ipv6(text):
        if in_url:
            raise AddressInvalid(f"{what}: an IPv6 address stands in brackets, did you mean '[{text}]'?")
        _ipv6(text, what)
        return text
    name, *ports = text.split(":")
    if name and all(part.isdigit() for part in ports):
        raise AddressInvalid(
            f"{what} has more than one port: {_shown(text)} (a variable with one, and one added?)"
        )
    raise AddressInvalid(f"{what} is neither a host with a port nor an IPv6 address: {_shown(text)}")


def _ipv6(text: str, what: str) -> None:
    if "%" in text:
        raise AddressInvalid(f"{what} names an interface of one host after its '%': {_shown(text)}")
    if not _is_ipv6(text):
        raise AddressInvalid(f"{what} has no IPv6 address in its brackets: {_shown(text)}")
    _one_host(ipaddress.IPv6Address(text), what)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    """Whether a URL without its scheme is a whole network; after any other address ``/24`` is a path."""
    found = _NETWORK.fullmatch(text)
    try:
        network = None if found is None else ipaddress.ip_network(text)
    except ValueError:
        return False
    return network is not None and network.num_addresses > 1


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _port(text: str, what: str, whole: str) -> int:
    if not text:
        raise AddressInvalid(f"{what} ends with ':' and no port: {_shown(whole)} {_EMPTY}")
    if not (text.isascii() and text.isdigit()):
        service = _SERVICES.get(text.lower())
        near = "" if service is None else f", {text.lower()} is {service}"
        raise AddressInvalid(f"{what}: a port is a number, not {quoted(text)}{near}")
    if len(text) > 5 or not 1 <= int(text) <= 65_535:
        raise AddressInvalid(f"{what}: a port is from 1 to 65535, not {quoted(text)}")
    return int(text)


def _host(text: str, what: str, *, after: str = "", in_url: bool = False) -> str:
    """A host's name or IPv4 address in ASCII."""
    name = _ascii(text, what)
    stem = name.removesuffix(".")
    labels = stem.split(".")
    glued = _ADDRESS_AND_WORD.fullmatch(stem)
    if glued is not None and "." not in glued.group(2):
        meant = f": did you mean {quoted(f'{glued.group(1)}/{glued.group(2)}{after}')}?" if in_url else ""
        raise AddressInvalid(f"{what} {_shown(text)} is neither an address nor a name{meant}")
    if _NUMERIC.fullmatch(labels[-1]):
        _ipv4(stem, what)
        return stem
    _check_labels(labels, text, what, _LABEL)
    return name


def _name(text: str, what: str) -> str:
    """A DNS name in ASCII: as a host's, with wildcards and the slashes of RFC 2317."""
    if _is_address(text.strip("[]")):
        pointer = ipaddress.ip_address(text.strip("[]").partition("%")[0]).reverse_pointer
        raise AddressInvalid(
            f"{what} is a name, not the address {_shown(text)}; its own name is at '{pointer} PTR'"
        )
    if text == ".":
        return text
    name = _ascii(text, what)
    slash = "/" if name.lower().rstrip(".").endswith(".arpa") else ""
    label = re.compile(rf"[A-Za-z0-9_*{slash}-]+")
    if _NUMERIC.fullmatch(
        name.removesuffix(".").rpartition(".")[2]
    ):  # no such domain exists: RFC 3696, section 2
        raise AddressInvalid(f"{what} is a name, and no name ends with a number: {_shown(text)}")
    _check_labels(name.removesuffix(".").split("."), text, what, label)
    return name


def _check_labels(labels: list[str], text: str, what: str, wanted: re.Pattern[str]) -> None:
    if "" in labels:
        raise AddressInvalid(f"{what} has an empty part between its dots: {_shown(text)} {_EMPTY}")
    for label in labels:
        if wanted.fullmatch(label):
            continue
        odd = next((one for one in label if not wanted.fullmatch(one)), "-")
        raise AddressInvalid(f"{what} has {quoted(odd)} in its host, where it cannot stand: {_shown(text)}")
    if sum(len(label) + 1 for label in labels) - 1 > _NAME_LIMIT or max(map(len, labels)) > _LABEL_LIMIT:
        raise AddressInvalid(
            f"{what} is too long for a host: {_NAME_LIMIT} characters at most, {_LABEL_LIMIT} between dots"
        )


def _one_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address, what: str) -> None:
    """Refuse the addresses of nobody and of many."""
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        raise AddressInvalid(f"{what} {_shown(str(address))} is not the address of one host")


def _ipv4(text: str, what: str) -> None:
    try:
        _one_host(ipaddress.IPv4Address(text), what)
    except ipaddress.AddressValueError:
        raise AddressInvalid(
            f"{what} {_shown(text)} is no IPv4 address: four numbers from 0 to 255 without leading zeros"
        ) from None


def _ascii(text: str, what: str) -> str:
    """International names as they stand in the DNS: that is ``xn--...``."""
    if text.isascii():
        return text
    try:
        labels = idna.uts46_remap(text, std3_rules=False).split(".")
        return ".".join(one if one.isascii() else idna.alabel(one).decode("ascii") for one in labels)
    except (idna.IDNAError, UnicodeError) as error:
        odd = next(one for one in text if not one.isascii())
        raise AddressInvalid(
            f"{what} cannot be written as an international name because of {quoted(odd)} (U+{ord(odd):04X}):"
            f" {_shown(text)}"
        ) from error


def _shown(text: str) -> str:
    """The text quoted, without what may be a user and a password before an '@'."""
    scheme = _SCHEME.match(text)
    start = "" if scheme is None else text[: scheme.start(2)]
    return quoted(f"{start}{MASK}@{text.rpartition('@')[2]}" if "@" in text else text)
