"""What kind of thing a target is, by the way it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

from orchestrator.errors import UsageProblem
from orchestrator.model import Agent
from orchestrator.near import folded, near
from orchestrator.plan import hosts
from orchestrator.safe import terminal

_FORMS = "a URL, host:port, a name, 'name TYPE' for a DNS record, an address, or an agent's id or name"
_WHAT = "the target"


class Kind(StrEnum):
    """Kinds of targets."""

    URL = "url"
    PORT = "port"
    NAME = "name"
    RECORD = "record"
    ADDRESS = "address"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be diagnosed. ``text`` is how it is told and tested, ``host`` what is connected to or
    resolved (of an agent nothing), ``port`` where one is known."""

    kind: Kind
    text: str
    host: str = ""
    port: int | None = None
    agent: Agent | None = None

    @property
    def resolves(self) -> bool:
        """Whether there is a name that is resolved on the way."""
        return bool(self.host) and not _is_address(self.host)


def recognise(text: str, agents: Sequence[Agent]) -> Subject:
    """What ``text`` means. An agent's id or whole name is that agent; ``agents`` are those that are listed.

    Raises ``UsageProblem`` for what can be nothing that is tested.
    """
    told = text.strip()
    agent = None if "://" in told else _agent(told, agents)
    if agent is not None:
        return Subject(Kind.AGENT, agent.name or agent.id, agent=agent)
    try:
        return _address_of(told)
    except hosts.AddressInvalid as problem:
        meant = near(told, [one.name for one in agents], at_least=0.8)
        proposal = f"; did you mean the agent {meant!r}?" if meant else ""
        raise UsageProblem(f"{problem}{proposal}", hint=f"a target is {_FORMS}") from problem


def _agent(told: str, agents: Sequence[Agent]) -> Agent | None:
    by_id = next((one for one in agents if one.id == told), None)
    if by_id is not None:
        return by_id
    named = [one for one in agents if folded(one.name) == folded(told)]
    if len(named) > 1:
        ids = ", ".join(sorted(one.id for one in named)[:5])
        raise UsageProblem(f"{len(named)} agents are called {terminal(told, 80)}", hint=f"give the id: {ids}")
    return named[0] if named else None


def _address_of(told: str) -> Subject:
    if "://" in told:
        url = hosts.url(told, _WHAT, ("https", "http"))
        parts = urlsplit(url)
        if "@" in parts.netloc:
            raise UsageProblem(
                "the target has a user and a password in its URL, which a plan would keep",
                hint="leave them out: that the server refuses is an answer too",
            )
        own = parts.port or (80 if parts.scheme == "http" else 443)
        return Subject(Kind.URL, url, parts.hostname or "", own)
    if _is_address(told.strip("[]")):
        address = hosts.address(told.strip("[]"), _WHAT)
        return Subject(Kind.ADDRESS, address, address)
    if any(one.isspace() for one in told):
        record = hosts.domain(told, _WHAT)
        return Subject(Kind.RECORD, record, record.split()[0])
    host, port = hosts.host_and_port(told, _WHAT)
    if port is not None:
        return Subject(Kind.PORT, hosts.server(told, _WHAT), host.strip("[]"), port)
    if "." not in host.strip("."):
        raise hosts.AddressInvalid(
            f"{_WHAT} {terminal(told, 80)!r} is neither an agent nor a name with a dot in it"
        )
    return Subject(Kind.NAME, host, host)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
