"""What `orchestrator diagnose` does."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.actions import diagnose as actions
from orchestrator.actions.diagnose import Diagnosed, Question
from orchestrator.actions.presets import preset_plan
from orchestrator.actions.queueing import submit_diagnosis
from orchestrator.actions.run import Attendance
from orchestrator.actions.session import Session
from orchestrator.cli.asking import Asking, Telling
from orchestrator.cli.bodies.common import opened_store, print_json, run_async, say, set_up_logging
from orchestrator.cli.bodies.outputs import check_outputs, write_file, write_outputs
from orchestrator.cli.bodies.queue import tell_submitted
from orchestrator.cli.bodies.sessions import Otlp, session, sets_of, settings_of, token_mask
from orchestrator.cli.bodies.sharing import ask_beforehand
from orchestrator.cli.masking import mask
from orchestrator.cli.options import Access, Breaking, Reading, World
from orchestrator.cli.signals import STOPS, heard_signals
from orchestrator.cli.streams import undelivered
from orchestrator.diagnosis.blocks import Extras
from orchestrator.diagnosis.places import places
from orchestrator.errors import Exit, UsageProblem
from orchestrator.files import check_writable
from orchestrator.model import Api
from orchestrator.plan.model import Plan
from orchestrator.queueing.values import Place
from orchestrator.records import RunRecord
from orchestrator.safe import visible
from orchestrator.terminal.diagnosis import Screen
from orchestrator.worker.engine import wake

_TICKET = ".md"


def diagnose(
    targets: tuple[str, ...],
    asking: Asking,
    telling: Telling,
    world: World,
    breaking: Breaking,
    reading: Reading,
    access: Access,
) -> None:
    """Diagnose targets; ends with the exit code of what was found."""
    set_up_logging()
    check_outputs(telling.outputs)
    _check_save(telling.save)
    preset = _preset(asking.preset, targets, reading)
    # Before: who starts it at night is not there any more when it ends.
    if telling.share and not telling.yes and not world.simulate:
        ask_beforehand()
    question = Question(
        targets=targets,
        whence=places(asking.whence),
        agents=asking.count,
        box=asking.time_box,
        controls=asking.controls,
        against=asking.against,
        preset=preset,
        waves=asking.waves,
        confirm=asking.confirm,
        share=telling.share,
        extras=Extras(asking.dns_servers, asking.page),
        api=Api(reading.api or (preset.api if preset is not None else Api.V7)),
        seed=reading.seed,
    )

    if telling.detach:
        raise SystemExit(int(_detached(question, telling, world, access)))

    async def work() -> Exit:
        account = None if preset is None else preset.account_group
        settings = settings_of(access, plan_account=account, urgent=True)
        otlp = Otlp(telling.otlp, telling.quiet)
        async with session(
            settings, access, world, breaking, reserve=0.0, seed=reading.seed, otlp=otlp
        ) as opened:
            for caution in () if telling.quiet else opened.cautions.values():
                say(f"warning: {caution}")
            attended = _Attended(telling)
            found = await actions.diagnose(
                opened, question, attend=attended.attend, show=attended.screen.update
            )
            return await _tell(opened, found, telling)

    raise SystemExit(int(run_async(work)))


def _detached(question: Question, telling: Telling, world: World, access: Access) -> Exit:
    """Put it into the queue, before everything else, and wake a worker."""
    if world.simulate or telling.outputs or telling.save is not None:
        raise UsageProblem(
            "--detach leaves the diagnosis to a worker: nothing is simulated, and nothing written here",
            hint="`orchestrator report RUN -o FILE` writes a report when it is over",
        )
    masked, settings = token_mask(access), settings_of(access, urgent=True)

    async def work() -> RunRecord:
        async with opened_store(access.store) as opened:
            place = Place(settings.organization, priority=1)
            run = await submit_diagnosis(opened, question, settings, place, mask=masked, environ=os.environ)
            await wake(opened.url)
            return run

    tell_submitted(run_async(work), as_json=telling.as_json)
    return Exit.OK


def _preset(name: str | None, targets: tuple[str, ...], reading: Reading) -> Plan | None:
    if name is None:
        return None
    if len(targets) > 1:
        raise UsageProblem("a preset has one target", hint="name one TARGET, or run it once for each")
    sets = sets_of(reading.sets)
    if targets:
        sets["target"] = targets[0]
    api = None if reading.api is None else Api(reading.api)
    return preset_plan(name, sets, os.environ, api)


def _check_save(path: Path | None) -> None:
    if path is None:
        return
    try:
        check_writable(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageProblem(
            f"the plan cannot be written to {path}: {reason}",
            hint="name a file in a folder that you may write to",
        ) from error


class _Attended:
    """Shows the diagnosis, and stops it by signals."""

    def __init__(self, telling: Telling) -> None:
        self.screen = Screen(sys.stderr, quiet=telling.quiet, mask=mask)
        self._grace = telling.grace

    @contextmanager
    def attend(self, run: RunRecord) -> Iterator[Attendance]:
        """The first signal ends creations, the second leaves at once."""
        self.screen.start(run.id)
        try:
            with heard_signals() as received:
                yield Attendance(stops=self._stops(received), grace=self._grace)
        finally:
            self.screen.stop()

    async def _stops(self, received: AsyncIterator[signal.Signals]) -> AsyncIterator[Exit]:
        first = True
        async for number in received:
            if first:
                self.screen.message(
                    f"{number.name}: no more creations; collecting what is paid for, at most "
                    f"{self._grace:.0f} s; once more leaves at once"
                )
                first = False
            yield STOPS[number]


async def _tell(session: Session, found: Diagnosed, telling: Telling) -> Exit:
    tickets = [path for path in telling.outputs if path.suffix.lower() == _TICKET]
    text = mask(found.ticket)
    for path in tickets:
        _written(path, text)
    await write_outputs(session, found.runs[0], [path for path in telling.outputs if path not in tickets])
    if telling.save is not None:
        _save(telling.save, found)
    if found.account.unshared is not None:
        say(f"warning: no snapshot: {found.account.unshared}")
    if found.refused is not None:
        say(f"error: {found.refused}")
        say(f"hint: {found.hint}")
    if found.exit_code in STOPS.values() and not found.account.simulated:
        say(f"interrupted; go on with: orchestrator resume {found.runs[0]}")
    try:
        if telling.as_json:
            print_json(found.document(mask))
        elif not tickets:
            sys.stdout.write("\n".join(map(visible, text.split("\n"))))
        sys.stdout.flush()
    except OSError as problem:
        return Exit(undelivered(problem, found.exit_code))
    return found.exit_code


def _written(path: Path, text: str) -> None:
    """What cannot be written is told, and changes no exit code: it was found out all the same."""
    content = text.encode("utf-8", "backslashreplace")
    try:
        write_file(path, lambda write: write(content))
    except UsageProblem as problem:
        say(f"error: {problem.message}")
        say(text)


def _save(path: Path, found: Diagnosed) -> None:
    if found.plan is None:
        say(f"{path} was not written: a preset is a plan already")
        return
    _written(path, found.plan)
