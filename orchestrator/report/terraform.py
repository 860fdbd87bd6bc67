"""Scheduled tests as Terraform, for the vendor's provider (thousandeyes/thousandeyes, version 3).

Its resources have the API's fields in snake_case; a field that is a mapping is a block there. What it does
not know is written as a comment. Secrets are variables, never values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from orchestrator.model import Json
from orchestrator.report.promotion import Promoted

PREFIX = "thousandeyes"
# What the provider calls otherwise than the API.
_RESOURCES = {"web-transactions": "web_transaction"}
_FIELDS = {"oAuth": "oauth"}
# Fields of the API that no resource takes, and those that only some lack (the provider's documentation).
_UNKNOWN = frozenset(
    {"labels", "tags", "vaultCredentials", "chromeOptions", "chromePolicies", "chromiumTrack"}
)
_UNKNOWN_TO = {
    "web-transactions": frozenset({"flagCollectConsoleLogs", "oAuth"}),
    "page-load": frozenset({"oAuth"}),
    "api": frozenset({"clientCertDomainsAllowList"}),
    "voice": frozenset({"port"}),
}
# Mappings with names of the user's own: an attribute, not a block.
_MAPS = frozenset({"root", "all", "domains"})
# JSON's escapes that Terraform lacks.
_ESCAPES = {"b": "\\u0008", "f": "\\u000c"}
_ARGUMENT = re.compile(r" +[a-z0-9_]+ = ")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake(name: str) -> str:
    """A field's name as the provider spells it."""
    return _FIELDS.get(name) or "_".join(_WORD.split(name)).lower()


def terraform_text(promoted: Sequence[Promoted]) -> str:
    """One resource for each test, after the variables for their secrets."""
    labels = _labels([one.name for one in promoted])
    lines: list[str] = []
    for one, label in zip(promoted, labels, strict=True):
        for path in one.secrets():
            lines += [
                f'variable "{_variable(label, path)}" {{',
                "  type      = string",
                "  sensitive = true",
                "}",
                "",
            ]
    for one, label in zip(promoted, labels, strict=True):
        lines += [*_aligned(_resource(one, label)), ""]
    return "\n".join(lines)


def _aligned(lines: Iterator[str]) -> Iterator[str]:
    """Arguments that follow each other have their values below each other, as ``terraform fmt`` has it."""
    for argument, group in groupby(lines, lambda line: bool(_ARGUMENT.match(line))):
        if not argument:
            yield from group
            continue
        found = [line.partition(" = ") for line in group]
        width = max(len(name) for name, _, _ in found)
        yield from (name.ljust(width) + sign + value for name, sign, value in found)


def _labels(names: Sequence[str]) -> list[str]:
    """A name for each resource that Terraform takes, no two alike."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "test"
        plain = plain if plain[0].isalpha() else f"test_{plain}"
        unique, number = plain, 1
        while unique in found:
            number += 1
            unique = f"{plain}_{number}"
        found.append(unique)
    return found


def _variable(label: str, path: Sequence[str]) -> str:
    return "_".join([label, *(re.sub(r"[^a-z0-9]+", "_", snake(part)).strip("_") for part in path)])


def _resource(one: Promoted, label: str) -> Iterator[str]:
    kind = _RESOURCES.get(one.type) or one.type.replace("-", "_")
    secret = {*one.secrets()}
    yield f'resource "{PREFIX}_{kind}" "{label}" {{'
    unknown = _UNKNOWN | _UNKNOWN_TO.get(one.type, frozenset())
    for name, value in one.body.items():
        if name in unknown:
            yield f"  # {snake(name)}: the provider has no such argument; the API takes it"
        elif name == "agents":
            yield f"  agents = {_value([agent['agentId'] for agent in _objects(value)])}"
        else:
            yield from _field(label, (name,), value, secret, "  ")
    yield "}"


def _objects(value: Json) -> list[dict[str, Json]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _field(
    label: str, path: tuple[str, ...], value: Json, secret: set[tuple[str, ...]], indent: str
) -> Iterator[str]:
    name = snake(path[-1])
    if value is None:
        return
    if isinstance(value, Mapping) and path[-1] in _MAPS:
        yield indent + _map(label, path, value, secret)
    elif isinstance(value, Mapping):
        yield from _block(label, path, path, value, secret, indent)
    elif objects := _objects(value):
        for number, inner in enumerate(objects):
            yield from _block(label, path, (*path, str(number)), inner, secret, indent)
    elif isinstance(value, list):
        items = [_or_variable(label, (*path, str(n)), inner, secret) for n, inner in enumerate(value)]
        yield f"{indent}{name} = [{', '.join(items)}]"
    else:
        yield f"{indent}{name} = {_or_variable(label, path, value, secret)}"


def _map(label: str, path: tuple[str, ...], value: Mapping[str, Json], secret: set[tuple[str, ...]]) -> str:
    name = snake(path[-1])
    if any(isinstance(inner, Mapping) for inner in value.values()):
        return f"# {name}: the provider takes a text for each name here, the API a mapping"
    pairs = [f"{_text(key)} = {_or_variable(label, (*path, key), one, secret)}" for key, one in value.items()]
    return f"{name} = {{ {', '.join(pairs)} }}" if pairs else f"{name} = {{}}"


def _block(
    label: str,
    path: tuple[str, ...],
    place: tuple[str, ...],
    fields: Mapping[str, Json],
    secret: set[tuple[str, ...]],
    indent: str,
) -> Iterator[str]:
    yield f"{indent}{snake(path[-1])} {{"
    for name, value in fields.items():
        yield from _field(label, (*place, name), value, secret, indent + "  ")
    yield f"{indent}}}"


def _or_variable(label: str, path: tuple[str, ...], value: Json, secret: set[tuple[str, ...]]) -> str:
    return f"var.{_variable(label, path)}" if path in secret else _value(value)


def _value(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value)
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    return _text(value if isinstance(value, str) else json.dumps(value))


def _text(text: str) -> str:
    """A string of Terraform: JSON's escapes, and no templates."""
    # Terraform takes only whole characters: half of a pair is shown as it is written in JSON.
    quoted = json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")
    return _control(quoted).replace("${", "$${").replace("%{", "%%{")


def _control(quoted: str) -> str:
    """The escapes of JSON that Terraform lacks, as it writes them."""
    # Escapes are taken in pairs: what follows a backslash that is itself escaped is a letter.
    quoted = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), quoted)
    return "".join(f"\\u{ord(one):04x}" if "\x7f" <= one <= "\x9f" else one for one in quoted)
