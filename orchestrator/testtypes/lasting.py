"""How long a test may last, whatever becomes of its answers."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.model import Json
from orchestrator.testtypes.prices import time_limit

# Seconds. Queueing on the agent, path traces and ingestion come on top of the type's own limit; the vendor
# documents no figure, 90 to 120 s beyond the limit is what is seen to be enough (api-facts 3.5).
_SHORTEST = 180.0
_BEYOND_LIMIT = 120.0


def must_be_over(type_name: str, fields: Mapping[str, Json]) -> float:
    """Seconds from creation until every agent has measured and answered, or never will.

    It is a test's deadline where the plan names none.
    """
    limit = time_limit(type_name, fields)
    throughput = (
        fields.get("throughputDuration", 10_000) if fields.get("throughputMeasurements") is True else 0
    )
    if isinstance(throughput, int | float):
        limit += throughput / 1000
    return max(_SHORTEST, limit + _BEYOND_LIMIT)
