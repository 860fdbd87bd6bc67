"""What `orchestrator diff` and `orchestrator baseline` do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click
from click.core import ParameterSource

from orchestrator.actions import compare as actions
from orchestrator.actions.asked import Asked, Terms
from orchestrator.actions.compare import Held
from orchestrator.actions.reading import find
from orchestrator.cli.bodies.common import opened_store, print_json, run_async, say, set_up_logging
from orchestrator.cli.bodies.outputs import write_file
from orchestrator.cli.masking import mask
from orchestrator.cli.options import Gate
from orchestrator.clock import LoopClock
from orchestrator.compare.gate import Strictness
from orchestrator.compare.values import Compared
from orchestrator.errors import UsageProblem
from orchestrator.records import Baseline
from orchestrator.report.comparison import chosen, oddity, what
from orchestrator.report.comparisons import COMPARISONS, WHOLE
from orchestrator.report.results import named_like
from orchestrator.report.times import people, utc
from orchestrator.safe import terminal
from orchestrator.terminal.comparison import comparison_lines
from orchestrator.terminal.console import make_console
from orchestrator.terminal.layout import width_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a comparison is written, in which format, and where to."""

    form: str
    output: Path | None
    targets: Sequence[str]
    agents: Sequence[str]
    layers: Sequence[str]
    everything: bool
    quiet: bool

    def cells(self, held: Held) -> list[Compared]:
        """The cells that pass the filters."""
        everything = self.everything or self.form in WHOLE
        return [one for one in chosen(held, everything=everything) if self._keeps(held, one)]

    def _keeps(self, held: Held, one: Compared) -> bool:
        names = (one.which.agent_id, held.agent(one.which))
        return (
            (not self.targets or named_like(one.which.target, self.targets))
            and (not self.agents or any(named_like(name, self.agents) for name in names))
            and (not self.layers or any(metric.partition(".")[0] in self.layers for metric in one.metrics))
        )


def terms_of(gate: Gate) -> Terms:
    """The terms that the flags mean. Raises ``UsageProblem`` for a metric that there is not."""
    return Terms(
        history=gate.history,
        strictness=Strictness(gate.gate),
        min_cover=gate.min_cover / 100,
        tolerances=dict(actions.tolerance(one) for one in gate.tolerances),
    )


def asked_for(against: str | None, gate: Gate) -> Asked | None:
    """What a run is held against, if a base was named. Raises ``UsageError`` for terms without one."""
    if against is not None:
        return Asked(against, terms_of(gate))
    given = click.get_current_context().get_parameter_source
    for name in ("history", "gate", "tolerances", "min_cover"):
        if given(name) is ParameterSource.COMMANDLINE:
            option = {"tolerances": "tolerance", "min_cover": "min-cover"}.get(name, name)
            raise click.UsageError(f"--{option} needs --against BASE: name what the run is compared with")
    return None


def diff(base: str, run: str, plan: str | None, gate: Gate, wanted: Wanted, *, store: str | None) -> None:
    """Compare two runs; ends with the code of the gate."""
    set_up_logging()
    terms = terms_of(gate)
    given = click.get_current_context().get_parameter_source("run") is not ParameterSource.DEFAULT
    if base == "last" and not given:
        raise UsageProblem(
            "last is the run itself", hint=f"compare with {actions.LAST_GOOD} or {actions.BEFORE}"
        )

    async def work() -> Held:
        async with opened_store(store) as opened:
            return await actions.diff(opened, run, base, terms, plan)

    held = run_async(work)
    code = held.comparison.judgement.exit_code
    odd = oddity(held)
    if odd is not None:
        say(f"note: {odd}")
    if not actions.has_ended(held.run):
        say(f"run {held.run.id} goes on: it cannot be judged yet")
        code = max(code, actions.CANNOT_JUDGE)
    if not (wanted.quiet and code == 0):
        _write("".join(_text(held, wanted)), wanted.output)
    raise SystemExit(code)


def _text(held: Held, wanted: Wanted) -> Iterator[str]:
    cells = wanted.cells(held)
    if wanted.form != "text":
        yield COMPARISONS[wanted.form](held, cells, mask)
        return
    yield from (f"{line}\n" for line in _told(held, sys.stdout if wanted.output is None else None))
    if wanted.targets or wanted.agents or wanted.layers or wanted.everything:
        yield from (f"{line}\n" for line in _cells(held, cells))


def tell_held(held: Held, stream: TextIO) -> None:
    """The lines of a comparison below those of a run."""
    stream.writelines(["\n", *(f"{line}\n" for line in _told(held, stream))])


def _told(held: Held, stream: TextIO | None) -> list[str]:
    """The lines as that stream takes them; a file takes them whole."""
    width = None if stream is None else width_of(make_console(stream))
    return [mask(line) for line in comparison_lines(held, width)]


def _cells(held: Held, cells: Sequence[Compared]) -> Iterator[str]:
    for one in cells:
        where = f"{one.which.test}  {one.which.target}  {held.agent(one.which)}"
        yield f"  {one.change.value:7}  {terminal(mask(where))}  {terminal(mask(what(held, one)))}"


def _write(text: str, output: Path | None) -> None:
    content = text.encode("utf-8", "backslashreplace")
    if output is None:
        sys.stdout.buffer.write(content)
        return
    write_file(output, lambda write: write(content))


def pin(name: str, run: str, plan: str | None, note: str | None, *, force: bool, store: str | None) -> None:
    """Name a run."""
    set_up_logging()

    async def work() -> Baseline:
        async with opened_store(store) as opened:
            record = await find(opened, run, plan)
            at = LoopClock().wall()
            return await actions.pin(opened, name, record, note, at, force=force)

    found = run_async(work)
    click.echo(f"baseline {found.name} is run {found.run} of plan {terminal(found.plan)}")


def unpin(name: str, *, store: str | None) -> None:
    """Forget a name."""
    set_up_logging()

    async def work() -> None:
        async with opened_store(store) as opened:
            await actions.unpin(opened, name)

    run_async(work)


def baselines(*, as_json: bool, store: str | None) -> None:
    """List the names."""
    set_up_logging()

    async def work() -> dict[str, Baseline]:
        async with opened_store(store) as opened:
            return await opened.store.baselines()

    found = run_async(work)
    if as_json:
        print_json({"schema": 1, "baselines": [_document(one) for one in found.values()]})
        return
    for one in found.values():
        note = f"  {terminal(mask(one.note))}" if one.note else ""
        click.echo(f"{one.name}  {one.run}  {terminal(one.plan)}  {people(one.pinned)}{note}")


def _document(one: Baseline) -> dict[str, object]:
    return {
        "name": one.name,
        "run": one.run,
        "plan": one.plan,
        "note": None if one.note is None else mask(one.note),
        "pinned": utc(one.pinned),
    }
