"""`orchestrator doctor`: what works, what does not, and what could not be found out."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import click

from orchestrator.cli.common import api_options, json_option, run_async, session, set_up_logging
from orchestrator.errors import Exit, OrchestratorError, Refused, StoreProblem, UsageProblem
from orchestrator.model import Api

# More than this and Reset, dates and deadlines are hard to read side by side (seconds). Budgets do not
# depend on our clock.
SKEW_WORTH_TELLING = 5.0
MARKS = {"ok": "ok  ", "warning": "warn", "failed": "FAIL", "unknown": "?   "}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``state`` is ok, warning, failed or unknown."""

    what: str
    state: str
    text: str


@click.command()
@click.option("--api", type=click.Choice([one.value for one in Api]), default="v7", show_default=True)
@json_option
@api_options
def doctor(**options: Any) -> None:
    """Check token, origin, account group, clock, limits and store. Creates nothing."""
    set_up_logging()
    findings: list[Finding] = []
    code = run_async(lambda: _examine(options, findings))
    if options["as_json"]:
        from orchestrator.cli.reading import print_json  # noqa: PLC0415 - loaded when called

        print_json({"schema": 1, "exit_code": int(code), "findings": [asdict(found) for found in findings]})
    else:
        from orchestrator.safe import terminal  # noqa: PLC0415 - loaded when called

        for found in findings:
            click.echo(f"{MARKS[found.state]}  {found.what:<14} {terminal(found.text, 400)}")
    raise SystemExit(int(code))


async def _examine(options: dict[str, Any], findings: list[Finding]) -> Exit:
    try:
        async with session(options, reserve=0.0) as opened:
            findings.append(
                Finding("token", "ok", "found, and of a token's shape (whether it is valid: see account)")
            )
            findings.append(await _store(opened))
            await _reach(opened, Api(options["api"]), findings)
            findings.extend(await _limits(opened))
    except Refused as error:
        findings.append(Finding("account", "failed", _said(error)))
        return Exit.REFUSED
    except UsageProblem as error:
        findings.append(Finding("settings", "failed", _said(error)))
        return Exit.USAGE
    except StoreProblem as error:
        findings.append(Finding("store", "failed", _said(error)))
        return error.exit_code
    except OrchestratorError as error:
        findings.append(Finding("origin", "failed", _said(error)))
        return error.exit_code
    return Exit.REFUSED if any(found.state == "failed" for found in findings) else Exit.OK


def _said(error: OrchestratorError) -> str:
    """The message, and the hint unless it is to call the doctor."""
    hint = error.hint if error.hint and "orchestrator doctor" not in error.hint else None
    return error.message if hint is None else f"{error.message} ({hint})"


async def _store(opened: Any) -> Finding:
    await opened.doors.store.probe()
    about = await opened.doors.store.about()
    return Finding("store", "ok", f"{about.place} is writable; {about.engine}")


async def _reach(opened: Any, api: Api, findings: list[Finding]) -> None:
    from orchestrator.thousandeyes.limits import read_limits  # noqa: PLC0415 - loaded when called

    speaks = opened.dialect(api)
    groups, reply = await opened.ask(speaks, speaks.account_groups(), speaks.read_account_groups)
    findings.append(Finding("origin", "ok", f"{opened.settings.origin} answers, API {api}"))
    wanted = opened.settings.account
    mine = [group for group in groups if (group.aid == wanted if wanted else group.current)]
    for group in mine:
        of = f" of {group.organization}" if group.organization else ""
        findings.append(Finding("account", "ok", f"{group.name} ({group.aid}){of}"))
    if not mine:
        which = f"{wanted} is not among" if wanted else "none is marked as current among"
        text = f"{which} the {len(groups)} account groups of this token"
        findings.append(Finding("account", "failed" if wanted else "unknown", text))
    date = read_limits(reply.headers).date
    if date is None:
        findings.append(Finding("clock", "unknown", "the answer carried no Date"))
        return
    skew = opened.doors.clock.wall() - date - 0.5
    state = "warning" if abs(skew) > SKEW_WORTH_TELLING else "ok"
    findings.append(Finding("clock", state, f"{skew:+.1f} s against the API's (budgets do not depend on it)"))


async def _limits(opened: Any) -> list[Finding]:
    view = opened.doors.ledger.view(opened.doors.clock.now())
    found = []
    organization = view.organization
    if organization.limit is None:
        found.append(Finding("organization", "unknown", "the answers carried no limit headers"))
    else:
        left = "" if organization.remaining is None else f", {organization.remaining} left"
        reset = organization.reset - view.server_time if organization.reset else math.nan
        soon = f", resets in {max(0.0, reset):.0f} s" if math.isfinite(reset) else ""
        found.append(Finding("organization", "ok", f"{organization.limit} calls a window{left}{soon}"))
    seen = view.instant_test.limit or await _instant_limit_of_last_run(opened)
    if seen is None:
        text = "only a creation shows this limit, and none was made from this store yet"
        found.append(Finding("instant tests", "unknown", text))
    else:
        found.append(Finding("instant tests", "ok", f"{seen} creations a window, as last seen"))
    found.append(
        Finding("permission", "unknown", "whether instant tests may be created shows with the first one")
    )
    return found


async def _instant_limit_of_last_run(opened: Any) -> int | None:
    for run in await opened.doors.store.runs(20):
        seen = run.facts.instant_test
        if run.origin == opened.settings.origin and seen is not None and seen.limit is not None:
            return int(seen.limit)
    return None
