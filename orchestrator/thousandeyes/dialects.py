"""Which dialect speaks which API version."""

from __future__ import annotations

from orchestrator.model import Api
from orchestrator.thousandeyes.protocol import Dialect
from orchestrator.thousandeyes.v6 import V6
from orchestrator.thousandeyes.v7 import V7


def dialect(api: Api) -> Dialect:
    """Return the dialect of an API version."""
    return V7() if api is Api.V7 else V6()
