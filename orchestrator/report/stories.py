"""The stories of the cells that somebody asked about, as a document and as lines. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from orchestrator.events import Event
from orchestrator.model import Answer, Path
from orchestrator.records import CellRecord, RunRecord, TestRecord
from orchestrator.report.explain import explanation, never_planned, steps
from orchestrator.report.summary import SCHEMA
from orchestrator.report.times import utc

# A token that some answer repeated is taken out here, after the texts were made.
Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Story:
    """One test with its events, and the cells of it that were asked about; none means the whole test.

    Of those cells ``details`` are the answers with the hops of their paths, ``values`` the others; ``silent``
    are the agents of the test of which something is missing, by name; ``bad`` are the cells that fail or have
    warnings, where no agent was asked about.
    """

    test: TestRecord
    events: tuple[Event, ...]
    cells: tuple[CellRecord, ...] = ()
    details: tuple[Answer, ...] = ()
    values: tuple[Answer, ...] = ()
    silent: tuple[str, ...] = ()
    bad: tuple[CellRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """What was found of a cell, or a part of a name: tests with their stories, and cells never planned."""

    run: RunRecord
    stories: tuple[Story, ...]
    left_out: tuple[CellRecord, ...]

    def document(self, mask: Mask = str) -> dict[str, object]:
        """The document of ``explain --json``."""
        return {
            "schema": SCHEMA,
            "run": self.run.id,
            "tests": [self._steps(story, mask) for story in self.stories],
            "left_out": [
                {"test": one.test, "target": one.target, "agent_id": one.agent_id, "reasons": [*one.reasons]}
                for one in self.left_out
            ],
        }

    def lines(self, mask: Mask = str) -> list[str]:
        """For people, escaped; an empty line ends a story."""
        lines = []
        for story in self.stories:
            answers = (*story.values, *story.details)
            told = explanation(
                self.run, story.test, story.events, story.cells, answers, silent=story.silent, bad=story.bad
            )
            lines += [*told, ""]
        return [mask(line) for line in [*lines, *map(never_planned, self.left_out)]]

    def _steps(self, story: Story, mask: Mask) -> dict[str, object]:
        told = [
            {"at": utc(step.at), "since": round(step.since, 3), "text": mask(step.text)}
            for step in steps(self.run, story.test, story.events)
        ]
        paths = [_last_hop(answer, path) for answer in story.details for path in answer.paths or ()]
        spec = story.test.spec
        return {
            "spec": spec.key,
            "target": spec.target,
            "steps": told,
            "paths": paths,
            "expect": [*spec.expect],
            "warn": [*spec.warn],
        }


def _last_hop(answer: Answer, path: Path) -> dict[str, object]:
    last = path.last_answered
    return {
        "agent_id": answer.agent_id,
        "round_id": answer.round_id,
        "path": path.id,
        "last_hop": None if last is None else asdict(last),
    }
