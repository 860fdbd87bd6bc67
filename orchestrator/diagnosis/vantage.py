"""From where to look: agents in the order in which each next one tells most. Pure, the same for a seed.

Each next agent is the one that adds most that is new (country, network, continent, type); two thirds are
outside (cloud agents), one third inside, as far as there are. So every beginning of the list is the most
telling one of its length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence

from orchestrator.model import Agent, AgentType
from orchestrator.plan.selectors import reason_left_out

# What a new value of each is worth.
COUNTRY, NETWORK, CONTINENT, TYPE = 3, 3, 2, 2
# So many of three are outside.
_OUTSIDE, _OF = 2, 3
_CONTINENTS = {
    country: continent
    for continent, countries in {
        "Africa": """
            AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA
            MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW
        """,
        "Asia": """
            AE AF AM AZ BD BH BN BT CN GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM
            MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE
        """,
        "Europe": """
            AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE
            LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK
        """,
        "North America": """
            AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX
            NI PA PM PR SV SX TC TT US VC VG VI
        """,
        "Oceania": """
            AS AU CC CK CX FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS
        """,
        "South America": """
            AR BO BR CL CO EC FK GF GY PE PY SR UY VE
        """,
    }.items()
    for country in countries.split()
}


def is_outside(agent: Agent) -> bool:
    """Whether an agent sees what the public sees."""
    return agent.type is AgentType.CLOUD


def usable(agents: Iterable[Agent]) -> list[Agent]:
    """Those that can be asked."""
    return [agent for agent in agents if reason_left_out(agent) is None]


def chosen(agents: Iterable[Agent], count: int, seed: int, first: Collection[str] = ()) -> tuple[Agent, ...]:
    """The ``count`` most telling agents that can be asked, in their order; those of ``first`` come first."""
    left = {agent.id: agent for agent in usable(agents)}
    taken: list[Agent] = []
    while left and len(taken) < count:
        wanted = [one for one in left.values() if one.id in first] or _of_side(left.values(), taken)
        best = min(wanted, key=lambda one: (-_adds(one, taken), _lot(seed, one)))
        taken.append(left.pop(best.id))
    return tuple(taken)


def countries_beside(agents: Iterable[Agent], asked: Iterable[Agent]) -> tuple[str, ...]:
    """Countries of agents that could be asked, and from which nobody is."""
    there = {agent.country for agent in usable(agents) if agent.country}
    return tuple(sorted(there - {agent.country for agent in asked}))


def more(
    agents: Iterable[Agent],
    asked: Sequence[Agent],
    count: int,
    seed: int,
    wanted: Callable[[Agent], bool],
) -> tuple[Agent, ...]:
    """At most ``count`` further agents of which something holds, the most telling first."""
    known = {agent.id for agent in asked}
    left = [agent for agent in usable(agents) if agent.id not in known and wanted(agent)]
    taken: list[Agent] = []
    while left and len(taken) < count:
        best = min(left, key=lambda one: (-_adds(one, [*asked, *taken]), _lot(seed, one)))
        left.remove(best)
        taken.append(best)
    return tuple(taken)


def _of_side(left: Collection[Agent], taken: Sequence[Agent]) -> list[Agent]:
    """Who may come next, so that two of three are outside: the other side where this one has nobody left."""
    outside = sum(map(is_outside, taken))
    wants_outside = outside * _OF < (len(taken) + 1) * _OUTSIDE
    fitting = [one for one in left if is_outside(one) is wants_outside]
    return fitting or list(left)


def _adds(agent: Agent, taken: Sequence[Agent]) -> int:
    continent = _CONTINENTS.get(agent.country or "")
    worth = 0
    if agent.country and agent.country not in {one.country for one in taken}:
        worth += COUNTRY
    if agent.network and agent.network not in {one.network for one in taken}:
        worth += NETWORK
    if continent and continent not in {_CONTINENTS.get(one.country or "") for one in taken}:
        worth += CONTINENT
    if agent.type not in {one.type for one in taken}:
        worth += TYPE
    return worth


def _lot(seed: int, agent: Agent) -> str:
    return hashlib.sha256(f"{seed}:{agent.id}".encode("utf-8", "surrogatepass")).hexdigest()
