"""Specs with every option that a type has."""

from __future__ import annotations

from dataclasses import replace

from builders import make_spec

from orchestrator.model import Json, Spec
from orchestrator.testtypes import TEST_TYPES, Kind, Option

# Options whose values are of a kind of their own.
_TEXTS: dict[str, Json] = {
    "url": "https://www.example.com/${path}?a=1",
    "domain": "www.example.com A",
    "server": "www.example.com",
}
_VALUES: dict[str, Json] = {
    "dnsServers": ["ns1.example.com", "ns2.example.com"],
    "customHeaders": {
        "root": {"X-Trace": 'say "hi"'},
        "all": {"Accept": "a\tb"},
        "domains": {"www.example.com": {"X-By": "domain"}},
    },
    "headers": ["X-One: 1"],
}


_BY_KIND: dict[Kind, Json] = {
    Kind.ID: "42",
    Kind.BOOLEAN: True,
    Kind.STRINGS: ["one", "two"],
    Kind.IDS: ["1", "2"],
    Kind.FREE: {"X-Name": "value"},
}


def value_of(option: Option) -> Json:
    """A value that the option takes."""
    known = _TEXTS if option.kind is Kind.STRING else _VALUES
    if option.name in known and option.kind is not Kind.OBJECTS:
        return known[option.name]
    if option.choices:
        return option.choices[0]
    if option.kind in {Kind.INTEGER, Kind.NUMBER}:
        return int(option.minimum or option.maximum or 1)
    if option.kind in {Kind.OBJECT, Kind.OBJECTS}:
        inside: Json = {name: value_of(inner) for name, inner in option.fields.items()}
        return inside if option.kind is Kind.OBJECT else [inside]
    return _BY_KIND.get(option.kind, f"text of {option.name}: \\ %{{x}} \n\x7f\b")


def full_spec(type_name: str) -> Spec:
    """A test of this type with every option."""
    fields = {name: value_of(option) for name, option in TEST_TYPES[type_name].options.items()}
    spec = make_spec(f"key-{type_name}", type=type_name, fields=fields, test=f"block {type_name}")
    return replace(spec, layers=TEST_TYPES[type_name].layers)
