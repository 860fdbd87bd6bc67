"""What the two versions share with the service: a call that was recognized, and what it may use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol, cast

from orchestrator.simulator.catalog import Definition
from orchestrator.simulator.draws import number
from orchestrator.simulator.fleet import SimAgent
from orchestrator.simulator.hostile import error_of, name_of
from orchestrator.simulator.messages import Json, JsonObject, Made, Refusal, SimRequest
from orchestrator.simulator.settings import Settings
from orchestrator.simulator.sharing import Asked, snapshot_id
from orchestrator.simulator.world import Row, SimTest, World

# Where links of the fault "foreign-links" lead: a name that cannot exist (RFC 2606).
FOREIGN: Final = "http://foreign.invalid"
_WINDOW: Final = re.compile(r"([0-9]{1,9})([smhdw]?)")
# Far from the ids of instant tests.
_FIRST_SCHEDULED: Final = 900_001
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was recognized. ``kind`` is create, rerun, read, agents, schedule, snapshot or other."""

    kind: str
    run: Callable[..., Made]
    args: tuple[str, ...] = ()
    layer: str | None = None
    type_name: str | None = None
    test_id: str | None = None

    @property
    def instant(self) -> bool:
        """Creation and re-run are counted by the instant-test limit too."""
        return self.kind in {"create", "rerun"}


class Version(Protocol):
    """One version of the API."""

    prefix: str

    def classify(self, path: str, method: str) -> tuple[Call, str] | None:
        """The call behind a path below the prefix and the method that it wants; None is a 404.

        ``method`` tells apart what lies at one path.
        """

    def problem(self, refusal: Refusal, path: str) -> Made:
        """An error in this version's own form."""


@dataclass(slots=True)
class Record:
    """What the service saw, for tests: the only witness of what really was created."""

    creations: list[JsonObject] = field(default_factory=list)
    reruns: list[JsonObject] = field(default_factory=list)
    scheduled: list[JsonObject] = field(default_factory=list)
    snapshots: list[JsonObject] = field(default_factory=list)
    unknown_fields: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Context:
    """What one call may use. ``now`` is simulated epoch seconds, ``base`` the origin of links."""

    world: World
    settings: Settings
    record: Record
    now: float
    base: str
    prefix: str
    aid: str
    hostile: bool = False
    foreign_links: bool = False
    forgetful: int = 0  # for how many looks a fresh test is not found

    def href(self, path: str) -> str:
        """An absolute link to one of our own paths."""
        return f"{self.base}/{self.prefix}/{path}"

    def data_href(self, path: str) -> str:
        """A link that a client follows for data."""
        return f"{FOREIGN}/{self.prefix}/{path}" if self.foreign_links else self.href(path)

    def name_of(self, agent: SimAgent) -> str:
        return name_of(agent.id, agent.name) if self.hostile else agent.name

    def error_text(self, text: str, agent: SimAgent) -> str:
        return error_of(agent.id, text) if self.hostile else text

    def tag_pairs(self) -> list[tuple[str, str]]:
        """Every tag that some agent carries."""
        return sorted({pair for agent in self.world.agents.values() for pair in agent.tags})

    def server_id(self, server: str, position: int) -> int:
        """The id under which a DNS server's results are found."""
        return number(0, "dns server", server) % 900_000 + 1_000 + position

    def json_body(self, request: SimRequest) -> JsonObject:
        """The request's JSON object; raises refusals 415 and 400."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refusal(415, f"Content-Type '{kind[:80]}' is not supported")
        try:
            body: Json = json.loads(request.body)
        except (ValueError, RecursionError) as error:
            raise Refusal(400, "The request body is not valid JSON.") from error
        if not isinstance(body, dict):
            raise Refusal(400, "The request body must be a JSON object.")
        return body

    def create(self, definition: Definition) -> SimTest:
        test = self.world.create(definition, self.now)
        self.record.creations.append(
            {
                "test_id": str(test.id),
                "name": definition.name,
                "type": definition.type,
                "at": self.now,
                "agents": [str(agent_id) for agent_id in definition.agent_ids],
            }
        )
        return test

    def rerun(self, test_id: str) -> SimTest:
        test = self.world.rerun(test_id, self.now)
        self.record.reruns.append({"test_id": test_id, "at": self.now, "round": len(test.rounds)})
        return test

    def schedule(self, type_name: str, body: JsonObject) -> int:
        """A scheduled test: it is there, and never runs. Returns its id."""
        test_id = _FIRST_SCHEDULED + len(self.record.scheduled)
        self.record.scheduled.append(
            {"test_id": str(test_id), "name": body.get("testName"), "type": type_name, "at": self.now}
        )
        return test_id

    def snapshot(self, test: SimTest, asked: Asked) -> str:
        """Share a test's results; its id. Raises a 429 refusal where its limit, which no header tells, is
        used up: so many in any span of an organization."""
        made = self.record.snapshots
        since = self.now - self.settings.snapshot_window
        if sum(1 for one in made if cast("float", one["at"]) > since) >= self.settings.snapshot_limit:
            raise Refusal(429, "Exhausted rate limit for snapshots of the organization")
        found = snapshot_id(test, len(made))
        made.append(
            {
                "id": found,
                "test_id": str(test.id),
                "title": asked.title,
                "public": not asked.saved,
                "at": self.now,
            }
        )
        return found

    def note_unknown(self, names: list[str]) -> None:
        """Remember fields that no document knows; the API's reaction to them is not documented."""
        self.record.unknown_fields += names

    def look(self, test_id: str) -> SimTest:
        """The test that is looked at; a fresh one may not be known everywhere yet (a fault)."""
        test = self.world.test(test_id)
        test.looks += 1
        if test.looks <= self.forgetful:
            raise Refusal(404, f"Test {test_id} was not found")
        return test

    def rows(
        self, test: SimTest, layer: str, span: tuple[float, float] | None, direction: str | None
    ) -> list[Row]:
        """The rows that have arrived, of the direction asked for."""
        has = test.definition.direction
        if direction is not None and has not in {direction, "bidirectional"}:
            return []
        return self.world.rows(test, layer, self.now, span=span, direction=direction)

    def rows_of_agent(self, test: SimTest, layer: str, agent_id: str, round_id: str) -> list[Row]:
        """The rows of one agent in one round; raises a 404 refusal for an unknown agent."""
        agent = self.world.agent(agent_id)
        executed = self.world.round_of(test, agent, round_id)
        if executed is None:
            return []
        rows = self.world.rows_of_round(test, executed, layer, self.now)
        return [row for row in rows if row.agent.id == agent.id]


def span_of(query: Mapping[str, str], now: float, start: str, end: str) -> tuple[float, float] | None:
    """The time range that is asked for, or None for the newest round.

    Raises a 400 refusal for what the API refuses: both ways of asking at once, an end without a start.
    """
    window, since, until = query.get("window"), query.get(start), query.get(end)
    if window is not None and (since is not None or until is not None):
        raise Refusal(400, f"window and {start} exclude each other", (("window", "not allowed here"),))
    if window is not None:
        match = _WINDOW.fullmatch(window)
        if match is None:
            raise Refusal(400, "window is malformed", (("window", "must be like 12h"),))
        return max(0.0, now - int(match[1]) * _UNITS[match[2]]), now
    if since is None:
        if until is not None:
            raise Refusal(400, f"{end} needs {start}", ((end, f"needs {start}"),))
        return None
    return _epoch(since, start), now if until is None else _epoch(until, end)


def _epoch(text: str, name: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refusal(400, f"{name} is no date", ((name, "must be ISO 8601"),)) from error
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
