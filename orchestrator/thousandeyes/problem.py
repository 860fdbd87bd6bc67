"""What the API says went wrong, in one line. Never raises: it is called when something is wrong already.

Known bodies (api-facts 6.1): problem+json with an optional ``errors`` list, the OAuth form of 401, the legacy
form with ``httpStatus``, v6's ``errorMessage``; and, from whatever stands before the API, HTML or nothing.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from orchestrator.model import Json, JsonObject
from orchestrator.thousandeyes.protocol import BadAnswer
from orchestrator.thousandeyes.scalars import mapping, parse_object, text

LONGEST = 500
_MOST_ERRORS = 5
# Enough to find a title or an error in; an error body of a megabyte is not read twice.
_LOOKED_AT = 64 * 1024
_TITLE = re.compile(r"<title[^>]*>([^<]{1,300})", re.IGNORECASE)


def describe(status: int, body: bytes) -> str:
    """Return one printable line of at most ``LONGEST`` characters, without the status number."""
    said = _from_json(body) if len(body) <= _LOOKED_AT else None
    if said is None:
        said = _from_page(status, body)
    return _one_line(said) or _one_line(_from_page(status, b""))


def _from_json(body: bytes) -> str | None:
    try:
        told = parse_object(body, "an error")
    except BadAnswer:
        return None
    head = _first(told, "title", "error", "errorMessage", "message")
    detail = _first(told, "detail", "error_description", "errorDescription")
    said = [part for part in (head, detail) if part]
    errors = told.get("errors")
    every = errors if isinstance(errors, list) else [errors]
    listed = [found for item in every[:_MOST_ERRORS] if (found := _error(item))]
    if len(every) > _MOST_ERRORS:
        listed.append(f"and {len(every) - _MOST_ERRORS} more")
    parts = ": ".join(dict.fromkeys(said))
    if listed:
        parts = f"{parts} ({'; '.join(listed)})" if parts else "; ".join(listed)
    return parts or None


def _error(item: Json) -> str:
    if not isinstance(item, dict):
        return text(item) or ""
    field, message, code = (text(item.get(key)) for key in ("field", "message", "code"))
    said = ": ".join(part for part in (field, message) if part)
    if code:
        said = f"{said} [{code}]" if said else code
    return said


def _first(told: JsonObject, *keys: str) -> str:
    return next((found for key in keys if (found := text(mapping(told).get(key)))), "")


def _from_page(status: int, body: bytes) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "an unknown status"
    if not body.strip():
        return f"{phrase} (empty body)"
    page = body[:_LOOKED_AT].decode("utf-8", "replace")
    title = _TITLE.search(page)
    if title:
        return f"{phrase} (a web page: {title.group(1).strip()})"
    if page.lstrip().startswith("<"):
        return f"{phrase} (a web page)"
    return f"{phrase}: {page[:LONGEST]}"


def _one_line(said: str) -> str:
    # Beyond the limit nothing is shown, so nothing is cleaned either.
    printable = "".join(character if character.isprintable() else " " for character in said[: 4 * LONGEST])
    line = " ".join(printable.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 4] + " ..."
