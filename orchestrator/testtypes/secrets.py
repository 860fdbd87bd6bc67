"""Which fields of a test are secret, and a test's fields without them, for showing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestrator.model import Json, JsonObject
from orchestrator.safe import MASK, hide_userinfo
from orchestrator.testtypes.table import TEST_TYPES

_SECRET_NAME = re.compile(
    "passw|secret|token|authorization|cookie|credential|private|api.?key|clientcertificate|transactionscript",
    re.IGNORECASE,
)


def mask_secrets(type_name: str, fields: Mapping[str, Json]) -> JsonObject:
    """A test's fields for showing: what the table of types, or a telling name, marks as secret is masked."""
    known = TEST_TYPES.get(type_name)
    paths = frozenset(known.secrets()) if known else frozenset()
    return {name: _mask_inside((name,), value, paths) for name, value in fields.items()}


def _masked(value: Json) -> Json:
    return value if value is None or value in ("", [], {}) else MASK


def _mask_inside(path: tuple[str, ...], value: Json, paths: frozenset[tuple[str, ...]]) -> Json:
    """``paths`` names the secret fields from the top; the items of a list have the path of the list.

    A telling name masks everything below it, unless the table knows better which part is secret.
    """
    known_inside = any(secret[: len(path)] == path for secret in paths - {path})
    if path in paths or (_SECRET_NAME.search(path[-1]) and not known_inside):
        return _masked(value)
    if isinstance(value, Mapping):
        return {key: _mask_inside((*path, str(key)), inner, paths) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_mask_item(path, inner, paths) for inner in value]
    return hide_userinfo(value) if isinstance(value, str) else value


def _mask_item(path: tuple[str, ...], value: Json, paths: frozenset[tuple[str, ...]]) -> Json:
    """An item of a list: a header is a text ``name: value`` or a mapping with ``key`` and ``value``."""
    if isinstance(value, str):
        name, colon, _ = value.partition(":")
        return f"{name}: {MASK}" if colon and _SECRET_NAME.search(name) else hide_userinfo(value)
    if isinstance(value, Mapping) and _SECRET_NAME.search(str(value.get("key") or value.get("name") or "")):
        return {key: inner if key in ("key", "name") else _masked(inner) for key, inner in value.items()}
    return _mask_inside(path, value, paths)
