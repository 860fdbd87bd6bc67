"""Units: what tests take, what the organization has and has used. In milli-units, as the old table counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from orchestrator.simulator.messages import Json, JsonObject
from orchestrator.simulator.world import SimTest, World

# Of a cloud agent's round; of a type with a time limit as many as that has seconds.
_FLAT: Final = 5
_LIMITS: Final[Mapping[str, tuple[str, int]]] = {
    "http-server": ("httpTimeLimit", 5),
    "page-load": ("pageLoadTimeLimit", 10),
    "web-transactions": ("timeLimit", 30),
    "api": ("timeLimit", 30),
    "ftp-server": ("ftpTimeLimit", 10),
    "sip-server": ("sipTimeLimit", 5),
    "voice": ("duration", 5),
}


def charged(world: World, test: SimTest, now: float) -> tuple[int, int]:
    """What a test has taken by ``now``: by cloud agents, and by enterprise agents (half the price)."""
    lag, definition = world.settings.usage_lag, test.definition
    rounds = sum(executed.started + lag <= now for executed in test.rounds)
    name, usual = _LIMITS.get(definition.type, ("", _FLAT))
    told = definition.echo.get(name)
    each = told if isinstance(told, int) and not isinstance(told, bool) else usual
    each *= max(1, len(definition.dns_servers)) * (2 if definition.direction == "bidirectional" else 1)
    cloud = sum(world.agents[agent].type == "cloud" for agent in definition.agent_ids)
    others = len(definition.agent_ids) - cloud
    return rounds * each * cloud, math.ceil(rounds * each * others / 2)


def usage(world: World, now: float) -> JsonObject:
    """The current period: the calendar month."""
    settings = world.settings
    taken = [charged(world, test, now) for test in world.tests.values()]
    cloud = settings.units_used + sum(one for one, _ in taken)
    begins = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    year, month = begins.year + begins.month // 12, begins.month % 12 + 1
    return {
        "quota": {
            "monthStart": _iso(begins),
            "monthEnd": _iso(begins.replace(year=year, month=month)),
            "cloudUnitsIncluded": settings.units_included,
        },
        "cloudUnitsUsed": cloud,
        "cloudUnitsProjected": cloud,
        "cloudUnitsNextBillingPeriod": 0,
        "enterpriseUnitsUsed": sum(one for _, one in taken),
    }


def breakdowns(world: World, aid: str, now: float, since: float, until: float) -> list[Json]:
    """What each instant test took that was created in this time, once it is counted."""
    names = {str(group.aid): group.name for group in world.settings.account_groups}
    found: list[Json] = []
    for test in world.tests.values():
        cloud, enterprise = charged(world, test, now)
        if since <= test.created <= until and cloud + enterprise:
            found.append(
                {
                    "aid": aid,
                    "accountGroupName": names.get(aid, aid),
                    "testId": str(test.id),
                    "testName": test.definition.name,
                    "testType": test.definition.type,
                    "isInstantTest": True,
                    "cloudUnitsUsed": cloud,
                    "enterpriseUnitsUsed": enterprise,
                }
            )
    return found


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
