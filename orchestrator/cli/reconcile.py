"""`orchestrator reconcile`: creations whose answer was lost."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import click

from orchestrator.cli.common import json_option, reading, run_async, set_up_logging, store_option
from orchestrator.cli.runnames import run_argument
from orchestrator.errors import UsageProblem

NO_ANSWER = "no answer is recorded: its run goes on, or ended in the middle"


@click.command()
@run_argument
@click.option(
    "--adopt",
    "adopted",
    multiple=True,
    metavar="SPEC=TESTID",
    help="The test of SPEC exists: this is its id.",
)
@click.option(
    "--give-up", "given_up", multiple=True, metavar="SPEC", help="SPEC stays unknown; say no more of it."
)
@json_option
@store_option
def reconcile(
    run: str, adopted: tuple[str, ...], given_up: tuple[str, ...], as_json: bool, store: str | None
) -> None:
    """List the creations of RUN whose answer was lost; adopt those that were found, or give them up.

    Look for the marker in square brackets among the tests of the product. An adopted test is collected
    by `orchestrator resume`.
    """

    pairs = [_pair(pair) for pair in adopted]

    async def work() -> None:
        async with reading(store) as opened:
            record = await opened.store.run(run)
            if pairs or given_up:
                # Not under the hands of a run that goes on.
                async with opened.lease.hold(record.plan, LoopClock(), wait=False, told=_say):
                    await _change(opened.store, record.id, pairs, given_up)
            _tell(record, list((await _lost(opened.store, record.id)).values()), as_json=as_json)

    set_up_logging()
    from orchestrator.clock import LoopClock  # noqa: PLC0415 - loaded when called

    run_async(work)


async def _change(opened: Any, run: str, adopted: Sequence[tuple[str, str]], given_up: Sequence[str]) -> None:
    """All or nothing: a name that fits no creation is found out before anything is changed."""
    lost = await _lost(opened, run)
    found = []
    if adopted:
        adoptable = {**lost, **await _adopted_in_vain(opened, run)}
        found = [(_one(adoptable, key), test_id) for key, test_id in adopted]
        await _unclaimed(opened, run, found)
    left = [_one(lost, key) for key in given_up]
    named = [test.spec.key for test in (*(test for test, _ in found), *left)]
    if len(set(named)) < len(named):
        raise UsageProblem(
            "one lost creation is named twice", hint="name each spec once; nothing was changed"
        )
    for test, test_id in found:
        await opened.adopt(run, test.spec.key, test_id, time.time())
        _say(f"adopted {test_id} for {test.spec.key}; go on with: orchestrator resume {run}")
    for test in left:
        await opened.give_up(run, test.spec.key, time.time())
        _say(f"gave up {test.spec.key}")


async def _unclaimed(opened: Any, run: str, found: Sequence[tuple[Any, str]]) -> None:
    """One test cannot be the answer to two creations: its answers would be counted for both targets."""
    owners = {test.test_id: test.spec for test in await opened.tests(run) if test.test_id is not None}
    for test, test_id in found:
        owner = owners.setdefault(test_id, test.spec)
        if owner.key != test.spec.key:
            raise UsageProblem(
                f"test {test_id} is that of {owner.target} ({owner.key}), not of {test.spec.target}",
                hint="look for the marker in square brackets in the test's name; nothing was changed",
            )


async def _adopted_in_vain(opened: Any, run: str) -> dict[str, Any]:
    """Specs whose adopted test has brought nothing: the id may have been wrong, and can be put right."""
    from orchestrator.lifecycle import SpecState  # noqa: PLC0415 - loaded when called

    adopted = {event.spec for event in await opened.events(run) if event.kind == "adopted"}
    tests = await opened.tests(run, [SpecState.WAITING, SpecState.TIMED_OUT])
    candidates = [test for test in tests if test.spec.key in adopted]
    return {test.spec.key: test for test in candidates if not await opened.answers(run, test.spec.key)}


async def _lost(opened: Any, run: str) -> dict[str, Any]:
    """Creations whose outcome nobody knows, by spec.

    One whose answer is not recorded is lost with its process, even before a resume says so.
    """
    from orchestrator.lifecycle import SpecState  # noqa: PLC0415 - loaded when called

    tests = await opened.tests(run, [SpecState.UNKNOWN, SpecState.CREATING])
    return {test.spec.key: test for test in tests if not test.given_up}


def _say(text: str) -> None:
    click.echo(text, err=True)


def _pair(text: str) -> tuple[str, str]:
    key, sign, test_id = text.partition("=")
    if not sign or not key or not test_id.isdigit():
        raise click.UsageError(f"--adopt takes SPEC=TESTID with a decimal test id, not {text!r}")
    return key, test_id


def _one(unknown: dict[str, Any], key: str) -> Any:
    found = [test for name, test in unknown.items() if key and name.startswith(key)]
    if len(found) != 1:
        raise UsageProblem(
            f"{'no' if not found else 'more than one'} unknown creation begins with {key!r}",
            hint="`orchestrator reconcile` without options lists them",
        )
    return found[0]


def _tell(record: Any, unknown: list[Any], *, as_json: bool) -> None:
    from orchestrator.cli.reading import print_json  # noqa: PLC0415 - loaded when called
    from orchestrator.report.times import people, utc  # noqa: PLC0415 - as above
    from orchestrator.safe import terminal  # noqa: PLC0415 - as above
    from orchestrator.terminal.console import make_console, say, table  # noqa: PLC0415 - as above

    if as_json:
        rows = [
            {
                "spec": test.spec.key,
                "name": test.name,
                "type": test.spec.type,
                "target": test.spec.target,
                "intended": utc(test.intended),
                "error": test.error or NO_ANSWER,
            }
            for test in unknown
        ]
        print_json({"schema": 1, "run": record.id, "unknown": rows})
        return
    console = make_console(sys.stdout)
    if not unknown:
        say(console, f"run {record.id} has no creation whose outcome is unknown")
        return
    lines = [
        (test.spec.key, people(test.intended), terminal(test.name or "-"), terminal(test.error or NO_ANSWER))
        for test in unknown
    ]
    table(console, ("spec", "sent", "name in the product", "what happened"), lines)
    example = unknown[0].spec.key
    _say(f"found in the product:  orchestrator reconcile {record.id} --adopt {example}=TESTID")
    _say(f"certainly not there:   orchestrator reconcile {record.id} --give-up {example}")
    _say(f"create them all anew:  orchestrator resume {record.id} --unknown retry")


__all__ = ["reconcile"]
