"""What `orchestrator organizations` does."""

from __future__ import annotations

import math
from typing import Any, cast

import click

from orchestrator.actions import organizations as actions
from orchestrator.actions.organizations import Changes
from orchestrator.cli.bodies.common import opened_store, print_json, run_async, say, set_up_logging
from orchestrator.cli.masking import mask
from orchestrator.organizations import Organization
from orchestrator.safe import terminal

_NAMES = {
    "base_url": "origin",
    "called": "called",
    "aids": "account_groups",
    "token": "token",
    "most_runs": "most_runs",
    "keep_answers": "answers_kept",
    "keep_raw": "raw_kept",
    "keep_runs": "runs_kept",
}


def listed(*, as_json: bool, store: str | None) -> None:
    """List organizations: one line each, or the document."""
    set_up_logging()

    async def work() -> list[Organization]:
        async with opened_store(store) as opened:
            return await actions.listed(opened)

    found = run_async(work)
    if as_json:
        print_json({"organizations": [one.document() for one in found]})
        return
    for one in found:
        click.echo(terminal(mask(_line(one)), 400))
    if not found:
        say("no organization is written down: any name may be used")


def _line(one: Organization) -> str:
    parts = [one.name, one.origin, f"{one.most_runs} runs at once", f"token {one.token or 'of each host'}"]
    if one.account_groups:
        parts.append(f"account groups {', '.join(one.account_groups)}")
    if one.paused:
        parts.append(f"paused{f' ({one.paused_reason})' if one.paused_reason else ''}")
    return "  ".join(parts)


def write(name: str, asked: dict[str, object], *, as_json: bool, store: str | None) -> None:
    """Write one, and say what it is now."""
    set_up_logging()
    changes: dict[str, Any] = {
        _NAMES[key]: None if value == math.inf else value
        for key, value in asked.items()
        if value not in (None, ())
    }

    async def work() -> tuple[Organization, bool]:
        async with opened_store(store) as opened:
            return await actions.write(opened, name, cast("Changes", changes))

    one, new = run_async(work)
    if as_json:
        print_json(one.document())
    else:
        say(f"{'new' if new else 'changed'}: {_line(one)}")


def pause(name: str, reason: str | None, *, paused: bool, store: str | None) -> None:
    """Let one rest, or go on."""
    set_up_logging()

    async def work() -> Organization:
        async with opened_store(store) as opened:
            return await actions.pause(opened, name, reason, paused=paused)

    one = run_async(work)
    say(f"organization {one.name} {'rests: none of its runs begins' if paused else 'goes on'}")
