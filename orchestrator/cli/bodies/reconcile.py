"""What `orchestrator reconcile` does."""

from __future__ import annotations

import sys

import click

from orchestrator.actions import reconcile as reconciling
from orchestrator.actions.reconcile import NO_ANSWER, Decided, LostCreations
from orchestrator.cli.bodies.common import opened_store, print_json, run_async, say, set_up_logging
from orchestrator.clock import LoopClock
from orchestrator.report.times import people
from orchestrator.safe import clip, terminal
from orchestrator.terminal import console as consoles


def reconcile(
    run: str,
    adopted: tuple[str, ...],
    given_up: tuple[str, ...],
    again: tuple[str, ...],
    *,
    organization: str,
    as_json: bool,
    store: str | None,
) -> None:
    """Adopt, give up, and list what is still lost."""
    pairs = [_pair(pair) for pair in adopted]
    set_up_logging()

    async def work() -> LostCreations:
        async with opened_store(store) as opened:
            return await reconciling.reconcile(
                opened,
                run,
                LoopClock(),
                adopt=pairs,
                give_up=given_up,
                again=again,
                organization=organization,
                decided=_tell_decision,
            )

    lost = run_async(work)
    if as_json:
        print_json(lost.document())
    else:
        _tell(lost)


def _pair(text: str) -> tuple[str, str]:
    key, sign, test_id = text.partition("=")
    if not sign or not key or not reconciling.is_test_id(test_id):
        raise click.UsageError(
            f"--adopt takes SPEC=TESTID with the decimal id of a test, not {clip(text, 80)!r}"
        )
    return key, test_id


def _tell_decision(one: Decided) -> None:
    if one.again:
        say(f"to be created again: {one.spec}; go on with: orchestrator resume {one.run}")
    elif one.test_id is None:
        say(f"gave up {one.spec}")
    else:
        say(f"adopted {one.test_id} for {one.spec}; go on with: orchestrator resume {one.run}")


def _tell(lost: LostCreations) -> None:
    console, run = consoles.make_console(sys.stdout), lost.run.id
    if not lost.tests:
        consoles.say(console, f"run {run} has no creation whose outcome is unknown")
        return
    lines = [
        (test.spec.key, people(test.intended), terminal(test.name or "-"), terminal(test.error or NO_ANSWER))
        for test in lost.tests
    ]
    consoles.table(console, ("spec", "sent", "name in the product", "what happened"), lines)
    if lost.run.simulated:
        say("its simulated world has ended with it: there is nothing to find, and nothing was paid")
        return
    for test in lost.tests:
        if (test_id := lost.late.get(test.spec.key)) is not None:
            say(f"test {test_id} is that of {test.spec.key}: orchestrator resume {run} adopts it")
    example = lost.tests[0].spec.key
    say(f"found in the product:  orchestrator reconcile {run} --adopt {example}=TESTID")
    say(f"certainly not there:   orchestrator reconcile {run} --give-up {example}")
    say(f"create it anew:        orchestrator reconcile {run} --again {example}  (may pay twice)")
    say(f"create them all anew:  orchestrator resume {run} --unknown retry")
