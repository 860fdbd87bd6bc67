"""What an action is given: a session with the API, or an open store; and the settings to open one with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from orchestrator.errors import Unanswered
from orchestrator.model import Agent, Api
from orchestrator.runner.ask import ask
from orchestrator.runner.doors import Doors, Pacing
from orchestrator.runner.naming import run_id
from orchestrator.settings import AID, BASE_URL, CA_FILE, Settings, Source, Written, pick_account, settle
from orchestrator.store.opening import Opened, pick_store
from orchestrator.thousandeyes.dialects import dialect
from orchestrator.thousandeyes.origin import parse_origin
from orchestrator.thousandeyes.protocol import Dialect, Reply, Request

T = TypeVar("T")

# A listing of more pages has no end.
MOST_PAGES = 200


@dataclass(frozen=True, slots=True)
class Session:
    """A connection to one origin as one user, with a store.

    ``mask`` takes the token out of a text. ``random_hex`` makes so many random bytes in hex. It is no part of
    what a seed repeats: two simulated runs of the same second must differ.
    """

    settings: Settings
    opened: Opened
    doors: Doors
    pacing: Pacing
    random_hex: Callable[[int], str]
    simulated: bool = False
    mask: Callable[[str], str] = str
    # Who conducts runs here, for people elsewhere.
    owner: str = ""
    # What should be put right, by what it is about: "token", "store".
    cautions: Mapping[str, str] = field(default_factory=dict)

    def run_id(self) -> str:
        """An id for a run that begins now."""
        return run_id(self.doors.clock.wall(), self.random_hex(4))

    def dialect(self, api: Api) -> Dialect:
        """The translation for an API version."""
        return dialect(api)

    async def agents(self, api: Api, *, labels: bool) -> tuple[Agent, ...]:
        """The one listing of a run, with labels if a selector needs them. Raises ``Refused``."""
        speaks, account = dialect(api), self.settings.account
        pages, _ = await self.ask_all(speaks, speaks.agents(account), speaks.read_agents)
        # An agent that is listed twice is still one agent.
        agents = tuple({agent.id: agent for listed in pages for agent in listed}.values())
        if not labels:
            return agents
        named, _ = await self.ask_all(speaks, speaks.labels(account), speaks.read_labels)
        by_agent = _labels_by_agent(named)
        # v6 tells the labels with the agents, v7 apart from them.
        return tuple(
            replace(agent, labels=tuple(dict.fromkeys((*agent.labels, *by_agent.get(agent.id, ())))))
            for agent in agents
        )

    async def ask(self, speaks: Dialect, request: Request, read: Callable[[bytes], T]) -> tuple[T, Reply]:
        """One read outside a run: what ``read`` makes of it, and the reply.

        Raises ``Refused`` or ``Unanswered``.
        """
        doors = self.doors
        return await ask(doors.wire, doors.ledger, doors.clock, speaks, request, doors.rng.random, read)

    async def ask_all(
        self, speaks: Dialect, request: Request, read: Callable[[bytes], T]
    ) -> tuple[list[T], Reply]:
        """The pages of a listing, to its end, and the reply that brought the last one.

        Pages that loop are read once around. Raises ``Refused`` or ``Unanswered``.
        """
        pages: list[T] = []
        asked: set[tuple[tuple[str, str], ...]] = set()
        following: Request | None = request
        while following is not None and following.query not in asked:
            if len(pages) >= MOST_PAGES:
                raise Unanswered(f"{request.path} has more than {MOST_PAGES} pages")
            asked.add(following.query)
            read_page = _with_the_next(speaks, following, read, self.settings.origin)
            (page, following), reply = await self.ask(speaks, following, read_page)
            pages.append(page)
        return pages, reply


def _with_the_next(
    speaks: Dialect, request: Request, read: Callable[[bytes], T], origin: str
) -> Callable[[bytes], tuple[T, Request | None]]:
    return lambda body: (read(body), speaks.next_listing(request, body, origin))


def _labels_by_agent(pages: Sequence[Mapping[str, frozenset[str]]]) -> dict[str, tuple[str, ...]]:
    labels: dict[str, list[str]] = {}
    named = {(label, agent_id) for page in pages for label, ids in page.items() for agent_id in ids}
    for label, agent_id in sorted(named):
        labels.setdefault(agent_id, []).append(label)
    return {agent_id: tuple(names) for agent_id, names in labels.items()}


def further_origin(text: str) -> str:
    """An origin that was named beside the first one. Raises ``UsageProblem``."""
    return parse_origin(text)


def resolve(
    environ: Mapping[str, str],
    *,
    base_url: str | None = None,
    account: str | None = None,
    store: str | None = None,
    plan_account: str | None = None,
    usual: Mapping[str, Written] | None = None,
    organization: str = "",
    allow_http: bool = False,
    ca_file: str | None = None,
    urgent: bool = False,
) -> Settings:
    """Settings of what was named, else of the environment, else of the plan, else by default.

    ``usual`` is what a file of configuration says: it counts less than a plan.
    Raises :class:`orchestrator.errors.UsageProblem` for an origin, an account group or a store that cannot
    be one.
    """
    usual = usual or {}
    found = settle(BASE_URL, flag=base_url, environ=environ, file=usual.get(BASE_URL.key))
    origin = parse_origin(found.text or "")
    return Settings(
        origin=origin,
        store=pick_store(store, environ),
        account=pick_account(account, environ, plan_account, usual.get(AID.key)),
        organization=organization,
        allow_http=allow_http,
        ca_file=settle(CA_FILE, flag=ca_file, environ=environ).text,
        urgent=urgent,
        origin_named=found.source is not Source.DEFAULT,
        origins=(origin,),
    )
