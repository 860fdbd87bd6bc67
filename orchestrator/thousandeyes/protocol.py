"""What both API versions have in common: requests, replies, and the questions a dialect answers.

No I/O here. A :class:`Dialect` turns our values into requests and replies' bodies into our values; the
transport (``client.py``) carries requests and knows nothing of their meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from orchestrator.model import Agent, Answer, Api, JsonObject, Spec


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request below the origin. ``path`` begins with ``/v7`` or ``/v6``, already quoted.

    ``instant`` tells that it is counted by the instant-test limit too (creation and re-run). ``alone`` asks
    for a connection of its own, which every instant one has. ``heard`` is called with the size of each piece
    of the answer's body as it comes. ``own_limit``: there is a limit for it that no header tells of, so that
    a 429 may say nothing of the others.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: JsonObject | None = None
    instant: bool = False
    alone: bool = field(default=False, compare=False)
    heard: Callable[[int], object] | None = field(default=None, compare=False, repr=False)
    own_limit: bool = False

    def hearing(self, heard: Callable[[int], object]) -> Request:
        """The same request, of whose answer's body ``heard`` is told."""
        return replace(self, heard=heard)

    @property
    def api(self) -> Api:
        """The version that it speaks, by the first part of its path."""
        return Api(self.path.split("/", 2)[1])


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came. Header names are lower case; times are monotonic seconds of our clock.

    ``broken`` says why the body is not whole, of an answer whose head tells enough (:meth:`Transport.send`).
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: float
    received: float
    broken: str | None = None


def head_tells_enough(request: Request, status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer without its body is still one: no success, or a creation that says where it is."""
    return status >= 300 or (request.instant and "location" in headers)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Real seconds: to connect (name, TCP, proxy and TLS), between two pieces of an answer, altogether.

    A body that makes progress has longer than ``total``, and never longer than ``most``.
    """

    connect: float = 10.0
    read: float = 30.0
    total: float = 60.0
    most: float = 600.0


# Bytes a second. A body that comes faster is one that a slow link brings; a slower one holds a request up.
LEAST_RATE = 1024.0


def with_progress(seconds: float, size: int, most: float) -> float:
    """The time that a request has when so many bytes of its answer's body are here; ``most`` is a ceiling.

    So a body at :data:`LEAST_RATE` or more comes to its end, and one that drips ends when a silent one does.
    """
    return max(seconds, min(seconds + size / LEAST_RATE, most))


class TransportError(Exception):
    """No usable answer. The text never contains the token or a body; ``hint`` says what to do, if known."""

    hint: str | None = None


class NotSent(TransportError):
    """Nothing reached the API: the name, the connection or the TLS handshake failed. Safe to repeat."""


class NoAnswer(TransportError):
    """The request may have been taken, but its answer was lost: a time-out, a reset, a truncated body."""


class GoneIdle(NoAnswer):
    """A connection that was used before was closed instead of answering: most likely for having been idle.

    A read may be asked again at once, on a connection of its own.
    """


class BadAnswer(Exception):
    """An answer whose body cannot be understood. The text says what was expected and what came."""


class Transport(Protocol):
    """Carries one request to the configured origin, and nothing anywhere else."""

    async def send(self, request: Request) -> Reply:
        """Return the reply, whatever its status; also one whose body broke off, if its head tells enough.

        Raises :class:`NotSent` or :class:`NoAnswer`, of which :class:`GoneIdle` is one.
        """


@dataclass(frozen=True, slots=True)
class Told:
    """What a creation's answer says of the test that it is about; ``None`` and empty: nothing."""

    name: str | None = None
    type: str | None = None
    agents: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Created:
    """What a creation's answer says. ``links`` maps our layer names to hrefs as the API gave them.

    ``told`` is for holding the answer against what was asked; it is no part of what was created.
    """

    test_id: str
    links: Mapping[str, str] = field(default_factory=dict)
    told: Told = field(default=Told(), compare=False)


class Place(NamedTuple):
    """Which layer of which test a path leads to."""

    layer: str
    test_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a layer: its rows, and the request for the next page where there is one.

    ``next_href`` is the link as the API gave it; :meth:`Dialect.follow` checks and turns it into a request.
    ``skipped`` counts the rows that could not be used: not an object, without an agent, or without a round.
    ``test_id`` and ``place`` are what the page says it is about, where it does.
    """

    rows: tuple[Answer, ...]
    next_href: str | None = None
    skipped: int = 0
    test_id: str | None = field(default=None, compare=False)
    place: Place | None = field(default=None, compare=False)

    def strange(self, test_id: str, layer: str) -> str | None:
        """What the page says of itself that was not asked for, in words; else ``None``."""
        if self.test_id is not None and self.test_id != test_id:
            return f"the answer is about test {self.test_id}, not {test_id}"
        if self.place is not None and self.place != Place(layer, test_id):
            return f"the answer is {self.place.layer} of test {self.place.test_id}"
        return None


@dataclass(frozen=True, slots=True)
class AccountGroup:
    """An account group that the token may use."""

    aid: str
    name: str
    organization: str | None
    current: bool


class Dialect(Protocol):
    """One API version. Methods that read bodies raise :class:`BadAnswer`."""

    api: Api

    def agents(self, aid: str | None) -> Request:
        """Ask for all agents, clusters with their members."""

    def read_agents(self, body: bytes) -> tuple[Agent, ...]:
        """Return the agents; clusters take their state from their members."""

    def next_listing(self, request: Request, body: bytes, origin: str) -> Request | None:
        """The request for the page after the one that ``request`` brought; ``None`` at a listing's end."""

    def labels(self, aid: str | None) -> Request:
        """Ask for the agents' labels (v7: tags with assignments; v6: agent groups)."""

    def read_labels(self, body: bytes) -> Mapping[str, frozenset[str]]:
        """Return agent ids by label name."""

    def account_groups(self) -> Request:
        """Ask which account groups the token may use."""

    def read_account_groups(self, body: bytes) -> tuple[AccountGroup, ...]:
        """Return them."""

    def create(self, spec: Spec, name: str, aid: str | None) -> Request:
        """Create an instant test, translated to this version's names and types."""

    def read_created(self, body: bytes, headers: Mapping[str, str]) -> Created:
        """Return the test's id; a broken body with a ``Location`` header still tells the id."""

    def rerun(self, test_id: str, aid: str | None) -> Request:
        """Run an existing test once more."""

    def poll(
        self, spec: Spec, test_id: str, layer: str, link: str | None, origin: str, aid: str | None
    ) -> Request:
        """Ask for one layer's newest round, by its link if that is of ``origin``, else by our own table."""

    def read_page(self, layer: str, body: bytes) -> Page:
        """Return the rows that are there; none is not an error."""

    def follow(self, href: str, origin: str, place: Place | None = None) -> Request | None:
        """The request for a next page, at ``origin`` whatever host the link names.

        ``None`` if the link leaves this version's paths, or ``place`` where one is given.
        """

    def path_detail(self, test_id: str, agent_id: str, round_id: int, aid: str | None) -> Request:
        """Ask for the hops of one agent's path traces in one round."""

    def read_path_detail(self, body: bytes) -> Page:
        """Return the hop details as rows of the layer ``path-vis-detail``."""

    def problem(self, status: int, headers: Mapping[str, str], body: bytes) -> str:
        """What the API says went wrong, in one line, at most 500 characters; never raises."""


__all__ = [
    "AccountGroup",
    "BadAnswer",
    "Created",
    "Dialect",
    "GoneIdle",
    "NoAnswer",
    "NotSent",
    "Page",
    "Place",
    "Reply",
    "Request",
    "Timeouts",
    "Told",
    "Transport",
    "TransportError",
    "head_tells_enough",
    "with_progress",
]
