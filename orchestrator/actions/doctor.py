"""What works, what does not, and what could not be found out. Creates nothing."""

from __future__ import annotations

import math
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from enum import StrEnum

from orchestrator.actions.organizations import settled
from orchestrator.actions.session import Session
from orchestrator.actions.units import units_left
from orchestrator.allotment import Allotment
from orchestrator.errors import Exit, OrchestratorError, Refused, StoreProblem, UsageProblem
from orchestrator.model import Api
from orchestrator.organizations import same_name
from orchestrator.report.check import units_left_words
from orchestrator.report.summary import SCHEMA
from orchestrator.thousandeyes.limits import read_limits
from orchestrator.thousandeyes.protocol import AccountGroup, Reply

# More than this and Reset, dates and deadlines are hard to read side by side (seconds). Budgets do not
# depend on our clock.
SKEW_WORTH_TELLING = 5.0
# Runs that are looked through for the limit that only a creation shows.
RUNS_SEARCHED = 20


class Health(StrEnum):
    """How something was found."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: Health
    text: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings; ``exit_code`` says what kind of trouble there is, if there is any."""

    exit_code: Exit
    findings: tuple[Finding, ...]

    def document(self) -> dict[str, object]:
        """The document of ``doctor --json``."""
        findings = [asdict(found) for found in self.findings]
        return {"schema": SCHEMA, "exit_code": int(self.exit_code), "findings": findings}


async def doctor(opening: AbstractAsyncContextManager[Session], api: Api) -> Diagnosis:
    """Examine settings, token, store, origin, account group, clock and limits. Raises nothing but defects.

    ``opening`` is a session that is not open yet: that it cannot be opened is a finding too.
    """
    findings: list[Finding] = []
    code = await _examine(opening, api, findings)
    return Diagnosis(code, tuple(findings))


async def _examine(opening: AbstractAsyncContextManager[Session], api: Api, findings: list[Finding]) -> Exit:
    try:
        async with opening as session:
            shape = "found, and of a token's shape (whether it is valid: see account)"
            findings.append(_cautioned(session, Finding("token", Health.OK, shape)))
            findings.append(_cautioned(session, await _store(session)))
            groups, reply = await _reach(session, api)
            findings.append(Finding("origin", Health.OK, f"{session.settings.origin} answers, API {api}"))
            findings.extend(_account(groups, session.settings.account))
            findings.extend(await _belongs(session, groups))
            findings.append(_clock(session, reply))
            findings.append(_organization(session))
            findings.append(await _instant_tests(session))
            told = await units_left(session, api)
            known = Health.OK if isinstance(told, Allotment) else Health.UNKNOWN
            findings.append(Finding("units", known, units_left_words(told)))
    except Refused as error:
        findings.append(Finding("account", Health.FAILED, _said(error)))
        return Exit.REFUSED
    except UsageProblem as error:
        findings.append(Finding("settings", Health.FAILED, _said(error)))
        return Exit.USAGE
    except StoreProblem as error:
        findings.append(Finding("store", Health.FAILED, _said(error)))
        return error.exit_code
    except OrchestratorError as error:
        findings.append(Finding("origin", Health.FAILED, _said(error)))
        return error.exit_code
    untold = "whether instant tests may be created shows with the first one"
    findings.append(Finding("permission", Health.UNKNOWN, untold))
    return Exit.REFUSED if any(found.state is Health.FAILED for found in findings) else Exit.OK


def _said(error: OrchestratorError) -> str:
    """The message, and the hint unless it is to call the doctor."""
    hint = error.hint if error.hint and "orchestrator doctor" not in error.hint else None
    return error.message if hint is None else f"{error.message} ({hint})"


def _cautioned(session: Session, found: Finding) -> Finding:
    """With what should be put right about it."""
    caution = session.cautions.get(found.what)
    return found if caution is None else Finding(found.what, Health.WARNING, f"{found.text}; {caution}")


async def _store(session: Session) -> Finding:
    await session.doors.store.probe()
    about = await session.doors.store.about()
    return Finding("store", Health.OK, f"{about.place} is writable; {about.engine}")


async def _reach(session: Session, api: Api) -> tuple[tuple[AccountGroup, ...], Reply]:
    speaks = session.dialect(api)
    pages, reply = await session.ask_all(speaks, speaks.account_groups(), speaks.read_account_groups)
    groups = [group for page in pages for group in page]
    return tuple(groups), reply


def _account(groups: tuple[AccountGroup, ...], wanted: str | None) -> list[Finding]:
    mine = [group for group in groups if (group.aid == wanted if wanted else group.current)]
    if not mine:
        which = f"{wanted} is not among" if wanted else "none is marked as current among"
        state = Health.FAILED if wanted else Health.UNKNOWN
        return [Finding("account", state, f"{which} the {len(groups)} account groups of this token")]
    found = []
    for group in mine:
        of = f" of {group.organization}" if group.organization else ""
        found.append(Finding("account", Health.OK, f"{group.name} ({group.aid}){of}"))
    return found


async def _belongs(session: Session, groups: tuple[AccountGroup, ...]) -> list[Finding]:
    """Whether the token is one of the organization that was named; a budget of two would be nobody's."""
    organization = await settled(session.opened, session.settings.organization)
    if organization is None:
        return []
    told = {group.organization for group in groups if group.organization}
    if not told:
        return [Finding("belongs", Health.UNKNOWN, "the API does not say whose its account groups are")]
    if any(same_name(organization, one) for one in told):
        return [Finding("belongs", Health.OK, f"the token is one of {organization.name}")]
    named, mine = ", ".join(sorted(told)[:5]), organization.called or organization.name
    text = (
        f"the token is one of {named}, and not of {mine} (if that is what the API calls it: "
        f"orchestrator organizations set {organization.name} --called)"
    )
    return [Finding("belongs", Health.FAILED, text)]


def _clock(session: Session, reply: Reply) -> Finding:
    date = read_limits(reply.headers).date
    if date is None:
        return Finding("clock", Health.UNKNOWN, "the answer carried no Date")
    skew = session.doors.clock.wall() - date - 0.5  # a Date has whole seconds
    state = Health.WARNING if abs(skew) > SKEW_WORTH_TELLING else Health.OK
    return Finding("clock", state, f"{skew:+.1f} s against the API's (budgets do not depend on it)")


def _organization(session: Session) -> Finding:
    view = session.doors.ledger.view(session.doors.clock.now())
    budget = view.organization
    if budget.limit is None:
        return Finding("organization", Health.UNKNOWN, "the answers carried no limit headers")
    left = "" if budget.remaining is None else f", {budget.remaining} left"
    reset = budget.reset - view.server_time if budget.reset else math.nan
    soon = f", resets in {max(0.0, reset):.0f} s" if math.isfinite(reset) else ""
    return Finding("organization", Health.OK, f"{budget.limit} calls a window{left}{soon}")


async def _instant_tests(session: Session) -> Finding:
    view = session.doors.ledger.view(session.doors.clock.now())
    seen = view.instant_test.limit or await _instant_limit_of_last_run(session)
    if seen is None:
        text = "only a creation shows this limit, and none was made from this store yet"
        return Finding("instant tests", Health.UNKNOWN, text)
    return Finding("instant tests", Health.OK, f"{seen} creations a window, as last seen")


async def _instant_limit_of_last_run(session: Session) -> int | None:
    for run in await session.doors.store.runs(RUNS_SEARCHED):
        seen = run.facts.instant_test
        if run.origin == session.settings.origin and seen is not None and seen.limit is not None:
            return seen.limit
    return None
