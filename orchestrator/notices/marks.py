"""Data in the text of a notice: in code marks, in which no chat sees a mention, a link or markup."""

from __future__ import annotations

from orchestrator.safe import clip, hide_userinfo, visible

LONGEST = 120
# Some services look for mentions in code, too, and take these signs for their own.
_DISARMED = str.maketrans({"@": "\uff20", "<": "\u2039", ">": "\u203a", "`": "\u02cb", "&": "\uff06"})


def plain(text: str, limit: int = LONGEST) -> str:
    """One line that mentions nobody and means nothing to a chat, without code marks."""
    return clip(visible(hide_userinfo(clip(text, 2 * limit))), limit).translate(_DISARMED)


def code(text: str, limit: int = LONGEST) -> str:
    """The same in code marks; ``-`` for nothing."""
    line = plain(" ".join(clip(text, 4 * limit).split()), limit)
    return f"`{line}`" if line.strip() else "-"
