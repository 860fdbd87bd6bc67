"""The JSON Schema of plans (draft 2020-12), made for editors: what may stand where, with limits and meaning.

It says less than the loader checks (names that refer to each other, CSV files, conflicts), and never refuses
what the loader accepts, save for keys without a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from orchestrator.model import AgentState, AgentType
from orchestrator.outbox import On
from orchestrator.testtypes import METRICS, TEST_TYPES, Kind, Option, TestType

Schema: TypeAlias = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_CSV = {"description": "A CSV file in the plan's folder.", "type": "string"}
_REFERENCE = {"$ref": "#/$defs/reference"}


def schema() -> Schema:
    """The schema as a JSON document."""
    return {
        "$schema": DRAFT,
        "title": "Plan of a batch of ThousandEyes instant tests",
        "type": "object",
        "required": ["version", "name", "tests"],
        "additionalProperties": False,
        "properties": _plan_properties(),
        "$defs": {
            "reference": {
                "description": "A variable of the plan, or of the environment: ${name}, ${env:NAME}.",
                "type": "string",
                "pattern": r"^\$\{[^{}]+\}$",
            },
            "duration": _duration(),
            "selector": _selector(),
            "targets": _targets(),
            "target": _target(),
            "test": _test(),
            **_options_by_type(),
            **{f"expectations-{kind.name}": _expectations(kind) for kind in TEST_TYPES.values()},
        },
    }


def _plan_properties() -> Schema:
    return {
        "version": {"description": "Version of the plan's format.", "const": 1},
        "name": _name("Name of the plan: what runs, locks and reports call it."),
        "api": _or_reference({"description": "Version of the API; default v7.", "enum": ["v7", "v6"]}),
        "account_group": {"description": "Account group (aid) to work in.", "type": ["string", "integer"]},
        "agents": {
            "description": "Selectors by name, for tests to refer to.",
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/selector"},
        },
        "targets": {
            "description": "Groups of targets by name, for tests to refer to.",
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/targets"},
        },
        "tests": {
            "description": "What to test, in this order.",
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/$defs/test"},
        },
        "budget": _budget(),
        "courtesy": _courtesy(),
        "deadline": {
            "description": "Time box: when the run ends, with what is there.",
            "$ref": "#/$defs/duration",
        },
        "allow_missing": {
            "description": "Share of the cells that may lack an answer in a complete run; default 0%.",
            **_share(),
        },
        "keep": _count("Runs of this plan that stay in the store; each run takes older ones away."),
        "notify": _many(_notify(), "Who is told of runs: names of channels; addresses stand elsewhere."),
        "vars": {
            "description": "Variables and their defaults; --set NAME=VALUE overrides.",
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_-]*$"},
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        },
    }


def _notify() -> Schema:
    name = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"}
    when = {"description": "When; default: when the state changes.", "enum": [one.value for one in On]}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["to"],
        "properties": {
            "to": _or_reference({"description": "Name of the channel.", **name}),
            "on": _or_reference(when),
        },
    }


def _or_reference(inner: Schema) -> Schema:
    """A value, or a variable in its place."""
    text = inner.pop("description", None)
    return {**({"description": text} if text else {}), "anyOf": [inner, _REFERENCE]}


def _name(text: str) -> Schema:
    return {"description": text, "type": "string", "minLength": 1, "maxLength": 200}


def _many(inner: Schema, text: str) -> Schema:
    return {"description": text, "anyOf": [inner, {"type": "array", "minItems": 1, "items": inner}]}


def _count(text: str) -> Schema:
    return _or_reference({"description": text, "type": "integer", "minimum": 1, "maximum": 1_000_000})


def _duration() -> Schema:
    return {
        "description": "Seconds, or a text such as 90s, 3m, 1h30m.",
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": 604_800},
            {"type": "string", "pattern": r"^\s*(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+(\.\d+)?s)?\s*$"},
            _REFERENCE,
        ],
    }


def _share() -> Schema:
    return {"anyOf": [{"type": "number", "minimum": 0, "maximum": 0.9}, {"type": "string"}]}


def _budget() -> Schema:
    return {
        "description": "What to leave to others, and ceilings: a plan beyond them creates nothing.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "reserve": {"description": "Share of the limits left to other tools; default 10%.", **_share()},
            "max_tests": _count("Creations at most."),
            "max_units": {
                "description": "Units at most, by our estimate: a number, or a share of those that are left.",
                "anyOf": [
                    {"type": "number", "exclusiveMinimum": 0},
                    {"type": "string", "pattern": r"^\s*\d{1,3}(\.\d+)?\s*%\s*$"},
                    _REFERENCE,
                ],
            },
            "max_duration": {"description": "Time at most, by our estimate.", "$ref": "#/$defs/duration"},
        },
    }


def _courtesy() -> Schema:
    host = {"type": "string", "minLength": 1}
    return {
        "description": "What is asked of one target and one agent at once, and whom this plan may test.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "per_host": _count("Tests under way at once toward one host."),
            "per_agent": _count("Tests under way at once on one agent."),
            "spacing": {
                "description": "Least time from one test's beginning to the next toward the same host.",
                "$ref": "#/$defs/duration",
            },
            "allow": _many(host, "The only hosts that may be tested: *.example.com, 192.0.2.0/24."),
        },
    }


def _selector() -> Schema:
    agent_id = {"type": ["string", "integer"], "pattern": r"^\d+$|\$\{"}
    text = {"type": "string", "minLength": 1}
    properties = {
        "type": _many(_words(kind.value for kind in AgentType), "Kinds of agents."),
        "name": _many(text, "Patterns of names, blind to case: branch-*."),
        "country": _many({"type": "string", "pattern": r"^[A-Za-z]{2}$|\$\{"}, "Countries by two letters."),
        "location": _many(text, "Patterns of locations."),
        "label": _many(text, "Labels or tags, also as patterns."),
        "tag": _many(text, "The same as label."),
        "state": _many(
            _words(state.value for state in AgentState), "States; default: those that can answer."
        ),
        "id": _many(agent_id, "Ids of agents."),
        "exclude": {
            "description": "What to leave out.",
            "anyOf": [{"$ref": "#/$defs/selector"}, {"type": "array", "items": {"$ref": "#/$defs/selector"}}],
        },
        "sample": {
            "description": "Take some of them, the same ones for the same seed.",
            "type": "object",
            "additionalProperties": False,
            "required": ["count"],
            "properties": {
                "count": _count("How many."),
                "per": _or_reference({"description": "Of each.", "enum": ["country", "location"]}),
                "seed": _or_reference({"description": "Which draw.", "type": "integer"}),
            },
        },
    }
    mapping = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": properties,
    }
    file = {
        "type": "object",
        "required": ["csv"],
        "additionalProperties": False,
        "properties": {"csv": _CSV},
    }
    return {
        "description": "Agents: keys to match, a list of ids, or a CSV file with ids or names.",
        "anyOf": [mapping, file, {"type": "array", "minItems": 1, "items": agent_id}, agent_id],
    }


def _words(words: Iterable[str]) -> Schema:
    """One of some words, blind to case in the way that editors' regular expressions understand."""
    known = list(words)
    blind = ("".join(f"[{one.upper()}{one}]" if one.isalpha() else one for one in word) for word in known)
    return {"anyOf": [{"enum": known}, {"type": "string", "pattern": f"^({'|'.join(blind)})$"}, _REFERENCE]}


def _targets() -> Schema:
    one = {"$ref": "#/$defs/target"}
    return {
        "description": "A list of targets, or a CSV file beside the plan.",
        "anyOf": [one, {"type": "array", "minItems": 1, "items": one}],
    }


def _target() -> Schema:
    fields = dict.fromkeys(("name", "expect", "warn"))
    fields |= {name: None for kind in TEST_TYPES.values() for name in kind.options}
    for kind in TEST_TYPES.values():
        if kind.nested is not None:
            fields |= dict.fromkeys(kind.options[kind.nested].fields)
    expectations = {"type": "string", "minLength": 1}
    own = {
        "expect": _many(expectations, "What must hold for this target, beside what its test expects."),
        "warn": _many(expectations, "What is worth a warning for this target."),
    }
    return {
        "description": "An address, or a mapping with a name and fields of the API.",
        "anyOf": [
            {"type": ["string", "integer"]},
            {
                "type": "object",
                "required": ["csv"],
                "propertyNames": {"enum": ["csv", *sorted(fields)]},
                "properties": {"csv": _CSV, **own},
            },
            {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"enum": sorted(fields)},
                "properties": own,
            },
        ],
    }


def _test() -> Schema:
    expectations = {"type": "string", "minLength": 1}
    return {
        "description": "One kind of test for some targets from some agents.",
        "type": "object",
        "required": ["name", "type", "targets", "agents"],
        "additionalProperties": False,
        "properties": {
            "name": _name("Name of the test in reports; unique in the plan."),
            "type": {"description": "Kind of test.", "enum": list(TEST_TYPES)},
            "targets": {
                "description": "A group, a list of groups, or targets in place.",
                "$ref": "#/$defs/targets",
            },
            "agents": {
                "description": "Named selectors, ids, or selectors in place.",
                "anyOf": [
                    {"type": ["string", "integer"]},
                    {"$ref": "#/$defs/selector"},
                    {
                        "type": "array",
                        "minItems": 1,
                        "items": {"anyOf": [{"type": ["string", "integer"]}, {"$ref": "#/$defs/selector"}]},
                    },
                ],
            },
            "options": {"description": "Fields of the API by its own names.", "type": "object"},
            "raw": {"description": "Fields that are not known here, sent as they stand.", "type": "object"},
            "layers": _many({"type": "string"}, "Results to collect; default: all that the test has."),
            "deadline": {"description": "When to stop waiting for answers.", "$ref": "#/$defs/duration"},
            "expect": _many(expectations, "What must hold: layer.metric op value."),
            "warn": _many(expectations, "What is worth a warning if it does not hold."),
            "path_details": _or_reference(
                {
                    "description": "Whose hops to fetch: all, none, or (auto) where a target fails.",
                    "enum": [True, False, "auto"],
                }
            ),
            "agents_per_test": _count("Split a test that has more agents."),
        },
        "allOf": [_by_type(kind) for kind in TEST_TYPES.values()],
    }


def _expectations(kind: TestType) -> Schema:
    parts = (rf"{layer}\s*\.\s*({'|'.join(METRICS[layer])})" for layer in kind.layers)
    one = {"type": "string", "pattern": rf"^\s*({'|'.join(parts)})\s*(<=|>=|==|!=|<|>)\s*\S|\$\{{"}
    return {"anyOf": [one, {"type": "array", "items": one}]}


def _by_type(kind: TestType) -> Schema:
    expectations = {"$ref": f"#/$defs/expectations-{kind.name}"}
    layers = {"anyOf": [{"enum": list(kind.layers)}, _REFERENCE]}
    return {
        "if": {"properties": {"type": {"const": kind.name}}, "required": ["type"]},
        "then": {
            "properties": {
                "options": {"$ref": f"#/$defs/options-{kind.name}"},
                "layers": {"anyOf": [layers, {"type": "array", "items": layers}]},
                "expect": expectations,
                "warn": expectations,
            }
        },
    }


def _options_by_type() -> Schema:
    """The options of each type. What several types share stands once, under ``option-NAME``."""
    shared: Schema = {}
    types: Schema = {}
    for kind in TEST_TYPES.values():
        properties: Schema = {}
        for option in kind.options.values():
            one = _option(option)
            if shared.setdefault(f"option-{option.name}", one) == one:
                one = {"$ref": f"#/$defs/option-{option.name}"}
            properties[option.name] = one
        types[f"options-{kind.name}"] = {
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
        }
    return types | shared


def _options(options: Mapping[str, Option], *, whole: bool = False) -> Schema:
    needed = [option.name for option in options.values() if option.required] if whole else []
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
        "properties": {option.name: _option(option) for option in options.values()},
    }


_TYPES: Mapping[Kind, str | list[str]] = {
    Kind.STRING: "string",
    Kind.ID: ["string", "integer"],
    Kind.INTEGER: "integer",
    Kind.NUMBER: "number",
    Kind.BOOLEAN: "boolean",
    Kind.FREE: "object",
}


def _option(option: Option) -> Schema:
    inner = _value(option)
    if option.nullable:
        inner = {"anyOf": [inner, {"type": "null"}]}
    text = option.doc if option.default is None else f"{option.doc} Default {_shown(option.default)}."
    return {"description": text, "anyOf": [inner, _REFERENCE]}


def _value(option: Option) -> Schema:
    if option.choices:
        numbers = [int(one) for one in option.choices] if option.kind is Kind.ID else []
        return {"enum": [*option.choices, *numbers]}
    if option.kind in {Kind.STRINGS, Kind.IDS}:
        one = {"type": "string" if option.kind is Kind.STRINGS else ["string", "integer"]}
        return {"anyOf": [one, {"type": "array", "items": one}]}
    if option.kind is Kind.OBJECT:
        return _options(option.fields)
    if option.kind is Kind.OBJECTS:
        return {"type": "array", "items": _options(option.fields, whole=True)}
    limits = {"minimum": option.minimum, "maximum": option.maximum}
    return {
        "type": _TYPES[option.kind],
        **{name: limit for name, limit in limits.items() if limit is not None},
    }


def _shown(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
