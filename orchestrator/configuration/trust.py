"""A token and an origin that were written down together are used together. Pure."""

from __future__ import annotations

from orchestrator.configuration import Configuration
from orchestrator.errors import UsageProblem
from orchestrator.settings import BASE_URL, TOKEN, Settled, Source


def refuse_parted(configuration: Configuration, origin: Settled, token: Settled) -> None:
    """Raise ``UsageProblem`` where a file has both, and the environment takes the place of one of them.

    The token of one organization would go to the origin of another. A flag may: it was said for this command.
    """
    if configuration.get(BASE_URL) is None or configuration.get(TOKEN) is None:
        return
    for one, other, name in ((token, origin, "token"), (origin, token, "origin")):
        if one.source is Source.ENVIRONMENT and other.source is Source.FILE:
            named = f"profile {configuration.profile}" if configuration.profile else "the file"
            what = "token" if name == "origin" else "origin"
            raise UsageProblem(
                f"the {name} would come from {one.place}, and the {what} from {other.place}, where {named} "
                "has both: a token is not sent to an origin that it was not written down with",
                hint=f"unset {one.place}, or say {TOKEN.flag} or {BASE_URL.flag} for this command",
            )
