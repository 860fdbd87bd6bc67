"""`orchestrator reconcile`: creations whose answer was lost."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from orchestrator.cli.common import json_option, reading, run_async, set_up_logging, store_option
from orchestrator.errors import UsageProblem


@click.command()
@click.argument("run", default="last")
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

    async def work() -> None:
        from orchestrator.lifecycle import SpecState  # noqa: PLC0415 - loaded when called

        async with reading(store) as opened:
            record = await opened.run(run)
            lost = await opened.tests(record.id, [SpecState.UNKNOWN])
            unknown = {test.spec.key: test for test in lost if not test.given_up}
            for pair in adopted:
                key, test_id = _pair(pair)
                test = _one(unknown, key)
                await opened.adopt(record.id, test.spec.key, test_id, time.time())
                del unknown[test.spec.key]
                going_on = f"go on with: orchestrator resume {record.id}"
                click.echo(f"adopted {test_id} for {test.spec.key}; {going_on}", err=True)
            for key in given_up:
                test = _one(unknown, key)
                await opened.give_up(record.id, test.spec.key, time.time())
                del unknown[test.spec.key]
            _tell(record, list(unknown.values()), as_json=as_json)

    set_up_logging()
    run_async(work)


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
    from orchestrator.report.console import make_console, say, table  # noqa: PLC0415 - as above
    from orchestrator.report.safe import terminal  # noqa: PLC0415 - as above
    from orchestrator.report.times import people, utc  # noqa: PLC0415 - as above

    if as_json:
        rows = [
            {
                "spec": test.spec.key,
                "name": test.name,
                "type": test.spec.type,
                "target": test.spec.target,
                "intended": utc(test.intended),
                "error": test.error,
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
        (test.spec.key, people(test.intended), terminal(test.name or "-"), terminal(test.error or "-"))
        for test in unknown
    ]
    table(console, ("spec", "sent", "name in the product", "what happened"), lines)


__all__ = ["reconcile"]
