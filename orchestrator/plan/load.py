"""From the text of a plan to a checked :class:`Plan`, or to everything that is wrong with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from orchestrator.allotment import ShareOfLeft
from orchestrator.courtesy import Courtesy
from orchestrator.errors import PlanInvalid, PlanProblem
from orchestrator.model import Api
from orchestrator.outbox import Channel
from orchestrator.plan.agentrefs import read_selectors
from orchestrator.plan.allowed import refuse_strangers
from orchestrator.plan.blocks import read_tests
from orchestrator.plan.document import BudgetDocument, PlanDocument, check
from orchestrator.plan.model import Budget, Plan
from orchestrator.plan.problems import Problems
from orchestrator.plan.rows import CsvFiles, refuse_misplaced
from orchestrator.plan.source import Entries, read_yaml
from orchestrator.plan.targets import read_groups
from orchestrator.plan.text import text_of
from orchestrator.plan.variables import read_vars, substitute

_UNREADABLE = PlanProblem("stored plan", 1, 1, "the stored plan cannot be read")


def load_plan(
    path: Path | str,
    *,
    environ: Mapping[str, str],
    sets: Mapping[str, str] | None = None,
    base: Path | None = None,
    api: Api | None = None,
) -> Plan:
    """Read and check a plan file.

    ``sets`` overrides the plan's ``vars`` (texts, read as YAML values), ``api`` the plan's version of the
    API. CSV files are looked for in ``base``, by default the plan's own folder, and nowhere else. Raises
    :class:`PlanInvalid` with every problem and its place.
    """
    path = Path(path)
    problems = Problems()
    text = text_of(path, problems, "the plan") or ""
    problems.raise_if_any()
    return parse_plan(
        text, str(path), path.parent if base is None else base, environ=environ, sets=sets, api=api
    )


def parse_plan(
    text: str,
    file: str,
    folder: Path | None,
    *,
    environ: Mapping[str, str],
    sets: Mapping[str, str] | None = None,
    attachments: Mapping[str, str] | None = None,
    api: Api | None = None,
) -> Plan:
    """Check the text of a plan; ``file`` is how problems name it.

    CSV files come from ``attachments`` if given, else from ``folder``. Raises :class:`PlanInvalid`.
    """
    problems = Problems()
    root = read_yaml(text, file, problems)
    if root is not None and not isinstance(root, Entries):
        problems.add(root.place, "a plan is a mapping with the keys version, name, agents, targets and tests")
    if not isinstance(root, Entries):
        raise PlanInvalid(problems.listed())
    sets = dict(sets or {})
    values = read_vars(root.entries.get("vars"), sets, environ, problems)
    root = _without_vars(root, values, environ, problems)
    refuse_misplaced(root, problems)
    document = check(PlanDocument, root, "the plan", problems)
    version = api or (Api.V7 if document is None else document.api)
    csv = CsvFiles(folder, attachments, problems)
    named = read_selectors(root.entries.get("agents"), csv, problems)
    groups = read_groups(root.entries.get("targets"), csv, problems)
    tests = read_tests(root.entries.get("tests"), version, named, groups, csv, problems)
    courtesy = Courtesy() if document is None else Courtesy(**document.courtesy.model_dump())
    refuse_strangers(tests, courtesy, problems)
    problems.raise_if_any()
    assert document is not None  # noqa: S101 - without a problem there is a document
    return Plan(
        version=document.version,
        name=document.name,
        api=version,
        account_group=document.account_group,
        selectors={name: selector for name, selector in named.items() if selector is not None},
        tests=tests,
        budget=_budget(document.budget),
        deadline=document.deadline,
        vars=values,
        file=file,
        source_text=text,
        hash=_hash(text, csv.texts, sets),
        attachments=csv.texts,
        sets=sets,
        notes=csv.notes(),
        allow_missing=document.allow_missing,
        keep=document.keep,
        courtesy=courtesy,
        notify=tuple({one.to: Channel(one.to, one.on) for one in document.notify}.values()),
    )


def _budget(read: BudgetDocument) -> Budget:
    asked = read.max_units
    share = asked.share if isinstance(asked, ShareOfLeft) else None
    units = None if isinstance(asked, ShareOfLeft) else asked
    return Budget(read.reserve, read.max_tests, units, read.max_duration, share)


class Outline(NamedTuple):
    """What a bundle says of its plan before it is read as one."""

    file: str
    api: Api
    hash: str
    sets: Mapping[str, str]


def outline(bundle: str) -> Outline:
    """What :meth:`Plan.bundle` stored, without checking the plan. Raises :class:`PlanInvalid`."""
    try:
        stored = json.loads(bundle)
        sets = {str(name): str(value) for name, value in stored["sets"].items()}
        whole = _hash(str(stored["text"]), stored["attachments"], sets)
        return Outline(str(stored["file"]), Api(stored["api"]), whole, sets)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise PlanInvalid((_UNREADABLE,)) from error


def parse_bundle(bundle: str, *, environ: Mapping[str, str]) -> Plan:
    """The plan that :meth:`Plan.bundle` stored. Raises :class:`PlanInvalid`."""
    try:
        stored = json.loads(bundle)
        return parse_plan(
            str(stored["text"]),
            str(stored["file"]),
            None,
            environ=environ,
            sets={str(name): str(value) for name, value in stored["sets"].items()},
            attachments={str(name): str(value) for name, value in stored["attachments"].items()},
            api=Api(stored["api"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise PlanInvalid((_UNREADABLE,)) from error


def _without_vars(
    root: Entries,
    values: Mapping[str, str | int | float | bool | None],
    environ: Mapping[str, str],
    problems: Problems,
) -> Entries:
    """The plan with its references replaced; ``vars`` itself was read already."""
    rest = {key: node for key, node in root.entries.items() if key != "vars"}
    replaced = substitute(Entries(rest, root.keys, root.place, root.size), values, environ, problems)
    assert isinstance(replaced, Entries)  # noqa: S101 - a mapping stays one
    return replaced


def _hash(text: str, attachments: Mapping[str, str], sets: Mapping[str, str]) -> str:
    content = json.dumps([text, dict(attachments), dict(sets)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
