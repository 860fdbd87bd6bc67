"""Builders with one realistic default each; a test names only the field that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.lifecycle import SpecState
from orchestrator.model import Agent, AgentType, Answer, AnswerStatus, Api, Metric, Spec
from orchestrator.records import RunRecord, RunSettings, TestRecord


def make_spec(key: str = "k1", **changes: object) -> Spec:
    """An http-server spec with two agents and three layers."""
    values: dict[str, object] = {
        "key": key,
        "test": "web",
        "type": "http-server",
        "target": "https://example.com",
        "fields": {"url": "https://example.com"},
        "agents": ("1", "2"),
        "layers": ("http-server", "network", "path-vis"),
        "deadline": 180.0,
    }
    return Spec(**(values | changes))  # type: ignore[arg-type] # a builder takes what the dataclass takes


def make_answer(layer: str = "http-server", agent_id: str = "1", **changes: object) -> Answer:
    """An answer that measured something."""
    metrics: Mapping[str, Metric] = {"responseCode": 200.0, "totalTime": 120.0}
    values: dict[str, object] = {
        "layer": layer,
        "agent_id": agent_id,
        "agent": f"agent {agent_id}",
        "country": "GB",
        "server": None,
        "round_id": 1_700_000_000,
        "date": "2026-11-21T05:00:00Z",
        "status": AnswerStatus.OK,
        "error": None,
        "metrics": metrics,
        "raw": "{}",
    }
    return Answer(**(values | changes))  # type: ignore[arg-type] # as above


def make_run(run: str = "65000000deadbeef", **changes: object) -> RunRecord:
    """A run that goes on."""
    values: dict[str, object] = {
        "id": run,
        "plan": "sweep",
        "plan_path": None,
        "plan_text": "version: 1",
        "plan_hash": "0" * 64,
        "api": Api.V7,
        "origin": "https://api.thousandeyes.com",
        "account": None,
        "parent": None,
        "started": 1_700_000_000.0,
        "settings": RunSettings(),
    }
    return RunRecord(**(values | changes))  # type: ignore[arg-type] # as above


def make_tests(specs: Sequence[Spec], run: str = "65000000deadbeef") -> list[TestRecord]:
    """The specs as they are stored at the start of a run."""
    return [TestRecord(run, position, spec, SpecState.PLANNED) for position, spec in enumerate(specs)]


def make_agent(agent_id: str = "1", **changes: object) -> Agent:
    """A cloud agent."""
    values: dict[str, object] = {
        "id": agent_id,
        "name": f"agent {agent_id}",
        "type": AgentType.CLOUD,
        "country": "GB",
    }
    return Agent(**(values | changes))  # type: ignore[arg-type] # as above
