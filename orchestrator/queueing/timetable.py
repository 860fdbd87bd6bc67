"""The file that says which plans run when: read like a plan, every problem with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool

from orchestrator.errors import PlanInvalid
from orchestrator.plan.document import Document, Duration, Id, Name, check
from orchestrator.plan.model import Plan
from orchestrator.plan.problems import Place, Problems, quoted
from orchestrator.plan.source import Entries, Items, Node, find, read_yaml
from orchestrator.plan.text import text_of
from orchestrator.queueing.slots import CatchUp, Overlap, check_cron
from orchestrator.queueing.values import Schedule

# More than this in one file is a mistake of whoever wrote it.
MOST_SCHEDULES = 10_000
_PRIORITIES = 1000


def _texts(value: object) -> object:
    """Values of variables are texts to a plan, and numbers or truth values to people."""
    if not isinstance(value, dict):
        return value
    return {
        key: one if isinstance(one, str) else str(one).lower() if isinstance(one, bool) else str(one)
        for key, one in value.items()
    }


class _Row(Document):
    """A schedule as people write it."""

    plan: Name
    organization: Id
    cron: Name
    timezone: Name = "UTC"
    name: Name | None = None
    jitter: Duration | None = None
    overlap: Overlap = Overlap.QUEUE
    catch_up: CatchUp = CatchUp.LATEST
    catch_up_within: Duration = 6 * 3600.0
    priority: Annotated[int, Field(strict=True, ge=-_PRIORITIES, le=_PRIORITIES)] = 0
    expires: Duration | None = None
    paused: StrictBool = False
    vars: Annotated[dict[str, str], BeforeValidator(_texts)] = Field(default_factory=dict)


class _Whole(Document):
    schedules: list[Any] = Field(min_length=1, max_length=MOST_SCHEDULES)


@dataclass(frozen=True, slots=True)
class Written:
    """A row that is sound in itself, with the places of what refers to something else."""

    row: _Row
    place: Place
    node: Entries = field(repr=False)


LoadPlan = Callable[[Path, Mapping[str, str]], Plan]


def load_timetable(path: Path | str, *, load: LoadPlan, now: float) -> tuple[Schedule, ...]:
    """Read and check a file of schedules; ``load`` reads a plan with its variables, as ``--set`` gives them.

    Plans are looked for beside the file. Raises :class:`PlanInvalid` with every problem and its place, those
    of the plans too, and ``UsageProblem`` where cronsim is not installed.
    """
    path = Path(path)
    problems = Problems()
    text = text_of(path, problems)
    node = read_yaml(text, str(path), problems) if text is not None else None
    if text is not None and node is None and not problems:
        problems.add(Place(str(path)), "the file is empty; it has one key, schedules")
    whole = None if node is None else check(_Whole, node, "the file", problems)
    found = [] if whole is None or node is None else _rows(node, problems)
    _check_times(found, now, problems)
    schedules = [
        schedule for one in found if (schedule := _with_plan(one, path.parent, load, problems)) is not None
    ]
    _check_names(schedules, found, problems)
    problems.raise_if_any()
    return tuple(schedules)


def _rows(node: Node, problems: Problems) -> list[Written]:
    listed = node.entries.get("schedules") if isinstance(node, Entries) else None
    found = []
    for item in listed.items if isinstance(listed, Items) else ():
        row = check(_Row, item, "a schedule", problems)
        if row is not None and isinstance(item, Entries):
            found.append(Written(row, item.place, item))
    return found


def _check_times(found: list[Written], now: float, problems: Problems) -> None:
    for one in found:
        try:
            check_cron(one.row.cron, one.row.timezone, now)
        except ValueError as error:
            key = "timezone" if "time zone" in str(error) else "cron"
            problems.add(find(one.node, (key,)), f"{key}: {quoted(getattr(one.row, key))} is none: {error}")


def _with_plan(one: Written, folder: Path, load: LoadPlan, problems: Problems) -> Schedule | None:
    row = one.row
    if Path(row.plan).is_absolute() or ".." in Path(row.plan).parts:
        problems.add(find(one.node, ("plan",)), "a plan is named by its path beside or below this file")
        return None
    try:
        plan = load(folder / row.plan, row.vars)
    except PlanInvalid as invalid:
        problems.add(find(one.node, ("plan",)), f"the plan {quoted(row.plan)} is not sound:")
        for problem in invalid.problems:
            problems.add(Place(problem.file, problem.line, problem.column), problem.message)
        return None
    return Schedule(
        name=row.name or plan.name,
        organization=row.organization,
        plan=plan.name,
        bundle=plan.bundle(),
        cron=" ".join(row.cron.split()),
        timezone=row.timezone,
        jitter=row.jitter or 0.0,
        overlap=row.overlap,
        catch_up=row.catch_up,
        within=row.catch_up_within,
        priority=row.priority,
        expires=row.expires,
        paused=row.paused,
    )


def _check_names(schedules: list[Schedule], found: list[Written], problems: Problems) -> None:
    """An organization has one schedule of a name: another one would take its place."""
    if len(schedules) != len(found):
        return
    seen: dict[tuple[str, str], Place] = {}
    for schedule, one in zip(schedules, found, strict=True):
        key = (schedule.organization, schedule.name)
        first = seen.setdefault(key, one.place)
        if first is not one.place:
            problems.add(
                one.place,
                f"organization {quoted(schedule.organization)} has a schedule {quoted(schedule.name)} "
                f"at line {first.line} already; give this one a name",
            )
