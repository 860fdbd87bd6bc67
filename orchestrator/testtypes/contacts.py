"""Whom a test contacts: the hosts in its fields, whatever its type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from orchestrator.courtesy import address_of
from orchestrator.model import Json

# Fields that hold an address, wherever they stand; of a domain only its first word is one.
URL_FIELDS = frozenset({"url", "testUrl", "tokenUrl"})
HOST_FIELDS = frozenset({"server", "sipRegistrar", "domain", "dnsServers", "dnsOverride"})
_AGENT_FIELD = "targetAgentId"


class Contact(NamedTuple):
    """A host, in lower case without a dot at its end, and the field that names it.

    ``host`` is ``None`` where it cannot be known before the test runs: a variable stands in its place.
    """

    field: str
    host: str | None


def contacts(fields: Mapping[str, Json], raw: Mapping[str, Json]) -> tuple[Contact, ...]:
    """Every host that the fields of a test name, each once; in ``raw`` also every text that is a URL.

    An agent as a target is none: it is the organization's own, or the vendor's.
    """
    found = [*_in(dict(fields), anywhere=False), *_in(dict(raw), anywhere=True)]
    return tuple(dict.fromkeys(found))


def hosts_under_test(fields: Mapping[str, Json], raw: Mapping[str, Json]) -> tuple[str, ...]:
    """The hosts that get packets of a test, each once: of a test that asks name servers those, and not the
    domain that it asks for. An agent as a target is one of them."""
    asked = any(one.field == "dnsServers" for one in contacts(fields, {}))
    hosts = {
        one.host: None
        for one in contacts(fields, raw)
        if one.host is not None and not (asked and one.field == "domain")
    }
    agent = fields.get(_AGENT_FIELD)
    if agent is not None:
        hosts[f"agent {agent}"] = None
    return tuple(hosts)


def _in(value: Json, *, anywhere: bool, name: str = "") -> Iterator[Contact]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _in(inner, anywhere=anywhere, name=key)
    elif isinstance(value, list):
        for inner in value:
            yield from _in(inner, anywhere=anywhere, name=name)
    elif isinstance(value, str) and value.strip():
        if name in URL_FIELDS or (anywhere and "://" in value):
            yield Contact(name, _host(value if "://" in value else f"//{value}"))
        elif name in HOST_FIELDS:
            yield Contact(name, _host(f"//{_place(value.split()[0])}"))


def _place(text: str) -> str:
    """An IPv6 address may stand without its brackets where there is no port."""
    return f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text


def _host(url: str) -> str | None:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    # A variable is filled in when the test runs, and behind a backslash some read another host than others.
    if not host or "{{" in host or "}}" in host or "\\" in url.partition("://")[2].partition("/")[0]:
        return None
    address = address_of(host)
    return str(address) if address is not None else host.rstrip(".") or host
