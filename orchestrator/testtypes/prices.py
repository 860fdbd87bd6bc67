"""What a test costs, as an estimate (api-facts 8.2)."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.model import AgentType, Json
from orchestrator.testtypes.layers import rows_for_each
from orchestrator.testtypes.table import TEST_TYPES

PRICE_SOURCE = (
    "ThousandEyes' published table of units per test run (older edition, read as milli-units; "
    "the current one may differ, api tests are not in it)"
)

_FLAT = 5.0  # milli-units per agent and run for types without a time limit


def time_limit(type_name: str, fields: Mapping[str, Json]) -> float:
    """Seconds after which an agent gives a measurement up; 0 for types without such a limit."""
    kind = TEST_TYPES[type_name]
    if kind.limit is None:
        return 0.0
    option = kind.options[kind.limit]
    value = fields.get(kind.limit, option.default)
    return float(value) if isinstance(value, int | float) else 0.0


def milliunits(type_name: str, fields: Mapping[str, Json], agent_type: AgentType) -> float:
    """Milli-units for one agent and one run: half for Enterprise Agents and their clusters.

    The configured limit counts, not the time that was needed (api-facts 8.3).
    """
    rate = time_limit(type_name, fields) or _FLAT
    if type_name == "agent-to-agent" and fields.get("direction") == "bidirectional":
        rate *= 2
    rate *= max(1, rows_for_each(type_name, fields))
    return rate if agent_type is AgentType.CLOUD else rate / 2
