"""What the vendor's data model v2 says of the answers of a test: points with the attributes of each cell.

Attributes of a cell are those of its resource, as the vendor publishes them; ours begin with
``orchestrator.``. What an address holds beside host, port and path (a query, a password) is never told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias, TypeGuard
from urllib.parse import urlsplit

from orchestrator.model import Agent, Answer, Json, Metric, Spec
from orchestrator.records import RunRecord, TestRecord
from orchestrator.testtypes.published import PUBLISHED, STATUS_CODES

Attributes: TypeAlias = "Mapping[str, str | int | bool]"
Found: TypeAlias = "dict[str, str | int | bool]"

# Cloud and enterprise agents, in the vendor's word for where a test belongs.
DOMAIN, DATA_VERSION = "cea", "v2"
NANOSECONDS = 1_000_000_000
# By the semantic conventions: seen from the agent.
_DIRECTIONS = {"to-target": "transmit", "from-target": "receive"}


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a metric. ``at`` is the start of the round, in epoch nanoseconds."""

    name: str
    unit: str
    value: float
    at: int
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Points:
    """What one cell measured in one direction and from one server."""

    resource: Attributes
    points: tuple[Point, ...]


def points_of(
    run: RunRecord, test: TestRecord, agents: Mapping[str, Agent], answers: Iterable[Answer]
) -> Iterator[Points]:
    """The points of a test's answers. What has no name in the vendor's model has none."""
    shared = _of_test(run, test, agents)
    for answer in answers:
        found = tuple(_points(answer))
        if found:
            yield Points({**shared, **_of_answer(answer, agents.get(answer.agent_id))}, found)


def _points(answer: Answer) -> Iterator[Point]:
    at = _at(answer)
    if at is None:
        return
    attributes: Found = {}
    if answer.error_type is not None:
        attributes["error.type"] = answer.error_type
    code = answer.metrics.get("responseCode")
    if answer.layer in STATUS_CODES and _is_code(code):
        attributes[STATUS_CODES[answer.layer]] = int(code)
    for published in PUBLISHED.get(answer.layer, ()):
        value = published.value(answer)
        if value is not None and math.isfinite(value):
            yield Point(published.name, published.unit, value, at, attributes)


def _is_code(value: Metric | None) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1000


def _at(answer: Answer) -> int | None:
    """The start of the round; of a row that names none the time of the measurement."""
    if answer.round_id > 0:
        return answer.round_id * NANOSECONDS
    try:
        found = datetime.fromisoformat(answer.date or "")
    except ValueError:
        return None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()) * NANOSECONDS


def _of_test(run: RunRecord, test: TestRecord, agents: Mapping[str, Agent]) -> Found:
    """What all answers of a test have in common."""
    words = words_of(test.spec)
    found: Found = {
        "thousandeyes.test.name": f"{run.plan} / {test.spec.test} / {words['orchestrator.target']}",
        "thousandeyes.test.domain": DOMAIN,
        "thousandeyes.data.version": DATA_VERSION,
        "orchestrator.plan": run.plan,
        **words,
    }
    if test.test_id is not None:
        found["thousandeyes.test.id"] = test.test_id
    if run.account is not None:
        found["thousandeyes.account.id"] = run.account
    if run.simulated:
        found["orchestrator.simulated"] = True
    found.update(_of_target(test.spec.fields, agents))
    return found


def words_of(spec: Spec) -> Found:
    """What a test is, in the words of its plan."""
    return {
        "thousandeyes.test.type": spec.type,
        "orchestrator.test": spec.test,
        "orchestrator.target": without_secrets(spec.target),
    }


def _of_target(fields: Mapping[str, Json], agents: Mapping[str, Agent]) -> Found:
    """What is said of the target itself, by the fields of the request."""
    url, server, domain = (fields.get(name) for name in ("url", "server", "domain"))
    found: Found = {}
    if isinstance(url, str):
        found.update(of_url(url))
    elif isinstance(server, str):
        found.update(_of_server(server))
    elif isinstance(domain, str) and domain:
        # The record type stands behind the name.
        found["dns.question.name"] = domain.split()[0]
    if isinstance(protocol := fields.get("protocol"), str):
        found["network.transport"] = protocol.lower()
    if isinstance(agent_id := fields.get("targetAgentId"), str):
        found["thousandeyes.target.agent.id"] = agent_id
        if (agent := agents.get(agent_id)) is not None:
            found.update(_of_agent("target", agent.name, agent.location, agent.country))
    return found


def _of_answer(answer: Answer, agent: Agent | None) -> Found:
    location = None if agent is None else agent.location
    found: Found = {
        "thousandeyes.source.agent.id": answer.agent_id,
        **_of_agent("source", answer.agent, location, answer.country),
    }
    if answer.link is not None:
        found["thousandeyes.permalink"] = answer.link
    if answer.direction is not None:
        found["network.io.direction"] = _DIRECTIONS.get(answer.direction, answer.direction)
    if answer.server is not None:
        found.update(_of_server(answer.server))
    return found


def _of_agent(which: str, name: str, location: str | None, country: str | None) -> Found:
    told = {"name": name, "location": location, "geo.country.iso_code": country}
    return {f"thousandeyes.{which}.agent.{key}": value for key, value in told.items() if value is not None}


def of_url(url: str) -> Found:
    """What may be told of an address: scheme, host and port."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return {}
    if host is None:
        return {}
    found: Found = {"url.scheme": parts.scheme, "server.address": host}
    return found if port is None else {**found, "server.port": port}


def _of_server(server: str) -> Found:
    """An address with or without a port; one of IPv6 with a port has brackets."""
    try:
        parts = urlsplit(f"//{server}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return {"server.address": server}
    if host is None or (server.count(":") > 1 and not server.startswith("[")):
        return {"server.address": server}
    return {"server.address": host} if port is None else {"server.address": host, "server.port": port}


def without_secrets(target: str) -> str:
    """A target's name as it may leave: without user, password, query and fragment of an address."""
    head = target.split("?", 1)[0].split("#", 1)[0]
    scheme, sign, rest = head.partition("://")
    if not sign:
        return head
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
