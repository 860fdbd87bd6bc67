"""Builders with one realistic default each; a test shows only what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from orchestrator.errors import PlanInvalid
from orchestrator.model import Agent, AgentState, AgentType, Answer, AnswerStatus, Metric, Spec
from orchestrator.plan.load import parse_plan
from orchestrator.plan.model import Plan


class Parse(Protocol):
    def __call__(self, text: str, **more: Any) -> Plan: ...


@pytest.fixture
def parse() -> Parse:
    """Parse a plan from text, without a folder and with an empty environment."""

    def build(text: str, **more: Any) -> Plan:
        folder: Path | None = more.pop("folder", None)
        return parse_plan(text, "plan.yaml", folder, environ=more.pop("environ", {}), **more)

    return build


@pytest.fixture
def problems_of(parse: Parse) -> Callable[..., list[str]]:
    """The problems of a plan as lines ``line:column: message``."""

    def find(text: str, **more: Any) -> list[str]:
        with pytest.raises(PlanInvalid) as caught:
            parse(text, **more)
        return [str(problem).removeprefix("plan.yaml:") for problem in caught.value.problems]

    return find


@pytest.fixture
def one_test() -> Callable[..., str]:
    """The text of a plan with one test block; lines of ``more`` are added to the block."""

    def build(
        *more: str,
        type: str = "http-server",  # noqa: A002 - the plan's own word
        targets: str = "['https://a.example']",
        agents: str = "['1']",
        top: str = "",
    ) -> str:
        lines = [
            "version: 1",
            "name: one",
            *top.splitlines(),
            "tests:",
            "  - name: web",
            f"    type: {type}",
            f"    targets: {targets}",
            f"    agents: {agents}",
            *(f"    {line}" for line in more),
        ]
        return "\n".join(lines) + "\n"

    return build


MakeAgent = Callable[..., Agent]


@pytest.fixture
def agent() -> MakeAgent:
    """An online enterprise agent in London; keywords change it."""

    def build(id: str = "1", **more: Any) -> Agent:  # noqa: A002 - the model's own word
        fields: dict[str, Any] = {
            "name": f"branch-{id}",
            "type": AgentType.ENTERPRISE,
            "country": "GB",
            "location": "London",
            "state": AgentState.ONLINE,
        }
        return Agent(id=id, **{**fields, **more})

    return build


@pytest.fixture
def cloud(agent: MakeAgent) -> MakeAgent:
    """A cloud agent, whose state the API does not tell."""

    def build(id: str, **more: Any) -> Agent:  # noqa: A002 - the model's own word
        return agent(
            id, **{"type": AgentType.CLOUD, "state": AgentState.UNKNOWN, "name": f"city-{id}", **more}
        )

    return build


@pytest.fixture
def spec() -> Callable[..., Spec]:
    """An http-server spec of one agent with two layers."""

    def build(**more: Any) -> Spec:
        fields: dict[str, Any] = {
            "key": "k",
            "test": "web",
            "type": "http-server",
            "target": "portal",
            "fields": {"url": "https://a.example"},
            "agents": ("1",),
            "layers": ("http-server", "network"),
            "deadline": 180.0,
        }
        return Spec(**{**fields, **more})

    return build


@pytest.fixture
def answer() -> Callable[..., Answer]:
    """A good row of agent 1; ``error`` makes it an error row without metrics."""

    def build(layer: str, metrics: Mapping[str, Metric] | None = None, **more: Any) -> Answer:
        error = more.pop("error", None)
        fields: dict[str, Any] = {
            "agent_id": "1",
            "agent": "branch-1",
            "country": "GB",
            "server": None,
            "round_id": 1_700_000_000,
            "date": None,
            "raw": "{}",
        }
        return Answer(
            layer=layer,
            status=AnswerStatus.OK if error is None else AnswerStatus.ERROR,
            error=error,
            metrics={} if error is not None else dict(metrics or {}),
            **{**fields, **more},
        )

    return build
