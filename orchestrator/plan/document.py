"""The plan's mappings as people write them: names, types and limits, apart from what they refer to.

Parts that can be written in more than one way (a group of targets, the agents of a test) are taken as they
come here and told apart in ``agentrefs`` and ``targets``, where a problem can be named by what was meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from orchestrator.allotment import ShareOfLeft
from orchestrator.model import AgentState, AgentType, Api
from orchestrator.outbox import CHANNEL, On
from orchestrator.plan.allowed import host_pattern
from orchestrator.plan.problems import Place, Problems, listing, nearest, quoted
from orchestrator.plan.source import Entries, Node, Untyped, find, plain, scalar_value
from orchestrator.testtypes import TEST_TYPES

MAX_DURATION = 7 * 86_400.0  # seconds; a run that needs a week is a mistake
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_NAME_LIMIT = 200


def duration(value: object) -> float:
    """Seconds from ``90s``, ``3m``, ``1h30m`` or a number of seconds. Raises ``ValueError``."""
    number = _typed(value)
    if isinstance(number, str):
        match = _DURATION.fullmatch(number.strip())
        if match is None or not any(match.groups()):
            raise PydanticCustomError("duration", "a duration such as 90s, 3m or 1h30m is wanted")
        days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
        number = days * 86_400 + hours * 3_600 + minutes * 60 + seconds
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise PydanticCustomError("duration", "a duration such as 90s, 3m or 1h30m is wanted")
    if not 0 < number <= MAX_DURATION:
        raise PydanticCustomError("duration", "a duration is more than 0 and at most 7 days")
    return float(number)


def share(value: object) -> float:
    """0.1 from ``10%`` or 0.1. Raises ``ValueError``."""
    number = _typed(value)
    if isinstance(number, str) and re.fullmatch(r"\d{1,3}(\.\d+)?\s*%", number.strip()):
        number = float(number.strip().rstrip("%")) / 100
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 0.9:
        raise PydanticCustomError("share", "a share from 0% to 90% (or from 0 to 0.9) is wanted")
    return float(number)


def _typed(value: object) -> object:
    """Text from the environment stands for what it would be in the plan."""
    return scalar_value(str(value)) if isinstance(value, Untyped) else value


def _text_id(value: object) -> object:
    """Ids are texts to the API and numbers to people."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _many(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _upper(value: object) -> object:
    return (
        [one.upper() if isinstance(one, str) else one for one in value] if isinstance(value, list) else value
    )


def _choice_of(kind: type[AgentType | AgentState]) -> BeforeValidator:
    def check(value: object) -> object:
        known = [one.value for one in kind]
        if not isinstance(value, str) or value.lower() not in known:
            near = nearest(str(value), known) or f"; it is one of {listing(known)}"
            raise PydanticCustomError("choice", "{text}", {"text": f"{quoted(value)} is not known{near}"})
        return kind(value.lower())

    return BeforeValidator(check)


Name = Annotated[StrictStr, Field(min_length=1, max_length=_NAME_LIMIT, pattern=r"^[^\x00-\x1f\x7f]*$")]
Texts = Annotated[tuple[Name, ...], BeforeValidator(_many), Field(min_length=1)]
Id = Annotated[Name, BeforeValidator(_text_id)]
Ids = Annotated[tuple[Id, ...], BeforeValidator(_many), Field(min_length=1)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Countries = Annotated[
    tuple[Country, ...], BeforeValidator(_upper), BeforeValidator(_many), Field(min_length=1)
]
Types = Annotated[
    tuple[Annotated[AgentType, _choice_of(AgentType)], ...], BeforeValidator(_many), Field(min_length=1)
]
States = Annotated[
    tuple[Annotated[AgentState, _choice_of(AgentState)], ...], BeforeValidator(_many), Field(min_length=1)
]
Duration = Annotated[float, BeforeValidator(duration)]
Count = Annotated[int, BeforeValidator(_typed), Field(strict=True, ge=1, le=1_000_000)]


def _whose_hops(value: object) -> object:
    given = _typed(value)
    if not isinstance(given, bool) and given != "auto":
        raise PydanticCustomError("path_details", "true, false or auto is wanted")
    return given


def _keys_of_type(value: object) -> object:
    if not isinstance(value, str) or value not in TEST_TYPES:
        near = nearest(str(value), TEST_TYPES) or f"; there are {listing(TEST_TYPES, 20)}"
        raise PydanticCustomError(
            "choice", "{text}", {"text": f"no type of test is called {quoted(value)}{near}"}
        )
    return value


def _channel(value: object) -> object:
    """The name of a channel. An address is a secret: it is refused, and not repeated."""
    if isinstance(value, str) and CHANNEL.fullmatch(value):
        return value
    if isinstance(value, str) and ("://" in value or "/" in value):
        raise PydanticCustomError(
            "channel", "a plan names a channel; its address is a secret outside of it (docs/notices.md)"
        )
    raise PydanticCustomError("channel", "a name of letters, digits, dashes and underscores is wanted")


def _units(value: object) -> object:
    """A number, or a share of what is left of them."""
    given = _typed(value)
    if isinstance(given, ShareOfLeft):
        return given
    if isinstance(given, str):
        match = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", given.strip())
        if match is None or not 0 < float(match.group(1)) <= 100:
            raise PydanticCustomError(
                "units", "a number of units is wanted, or a share of those that are left, such as 10%"
            )
        return ShareOfLeft(float(match.group(1)) / 100)
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise PydanticCustomError(
            "units", "a number of units is wanted, or a share of those that are left, such as 10%"
        )
    if not given > 0:
        raise PydanticCustomError("units", "it must be greater than 0")
    return float(given)


def _host_pattern(value: object) -> object:
    try:
        return host_pattern(value) if isinstance(value, str) else value
    except ValueError as error:
        raise PydanticCustomError("host_pattern", "{text}", {"text": str(error)}) from error


Units = Annotated[float | ShareOfLeft, BeforeValidator(_units)]


class Document(BaseModel):
    """A mapping that people write; a key that it does not have is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SampleDocument(Document):
    """A sample of the agents that a selector matches."""

    count: Count
    per: Literal["country", "location"] | None = None
    seed: Annotated[StrictInt, BeforeValidator(_typed)] | None = None


class SelectorDocument(Document):
    """A selector; ``exclude`` is told apart by ``agentrefs``."""

    type: Types = ()
    name: Texts = ()
    country: Countries = ()
    location: Texts = ()
    label: Texts = ()
    tag: Texts = ()
    state: States = ()
    id: Ids = ()
    exclude: Any = None
    sample: SampleDocument | None = None


class BudgetDocument(Document):
    """The share to leave to others, and the ceilings."""

    reserve: Annotated[float, BeforeValidator(share)] = 0.10
    max_tests: Count | None = None
    max_units: Units | None = None
    max_duration: Duration | None = None


class CourtesyDocument(Document):
    """How much may be under way toward one host and on one agent, and which hosts may be tested at all."""

    per_host: Count | None = None
    per_agent: Count | None = None
    spacing: Duration = 0.0
    allow: Annotated[
        tuple[Annotated[str, BeforeValidator(_host_pattern)], ...],
        BeforeValidator(_many),
        Field(min_length=1),
    ] = ()


class TestDocument(Document):
    """A test block."""

    name: Name
    type: Annotated[str, BeforeValidator(_keys_of_type)]
    targets: Any
    agents: Any
    options: dict[str, Any] = Field(default_factory=dict)
    raw: dict[str, Any] = Field(default_factory=dict)
    layers: Texts | None = None
    deadline: Duration | None = None
    expect: Texts = ()
    warn: Texts = ()
    path_details: Annotated[StrictBool | Literal["auto"] | None, BeforeValidator(_whose_hops)] = None
    agents_per_test: Count | None = None


class NotifyDocument(Document):
    """Who is told of runs, and when."""

    to: Annotated[str, BeforeValidator(_channel)]
    on: On = On.CHANGE


class PlanDocument(Document):
    """The whole; what refers to each other is checked after it."""

    version: Annotated[Literal[1], BeforeValidator(_typed)]
    name: Name
    tests: list[Any] = Field(min_length=1)
    api: Api = Api.V7
    account_group: Id | None = None
    agents: dict[str, Any] = Field(default_factory=dict)
    targets: dict[str, Any] = Field(default_factory=dict)
    budget: BudgetDocument = BudgetDocument()
    courtesy: CourtesyDocument = CourtesyDocument()
    deadline: Duration | None = None
    allow_missing: Annotated[float, BeforeValidator(share)] = 0.0
    keep: Count | None = None
    notify: Annotated[tuple[NotifyDocument, ...], BeforeValidator(_many)] = ()
    vars: Any = None


Checked = TypeVar("Checked", bound=Document)


def check(model: type[Checked], node: Node, what: str, problems: Problems) -> Checked | None:
    """The node as ``model``, or ``None`` with every problem noted at its place. ``what`` names it."""
    if not isinstance(node, Entries):
        problems.add(node.place, f"{what} must be a mapping of keys to values")
        return None
    given = {key: value for key, value in node.entries.items() if not _is_null(value)}
    raw = {key: plain(value) for key, value in given.items()}
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            problems.add(*_problem(model, node, what, detail))
        return None


def _is_null(node: Node) -> bool:
    """A key without a value is as good as absent."""
    return not isinstance(node, Entries) and getattr(node, "value", ...) is None


def _problem(model: type[BaseModel], node: Node, what: str, detail: ErrorDetails) -> tuple[Place, str]:
    path = detail["loc"]
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        near = nearest(str(path[-1]), known) or f"; known here: {listing(known, 20)}"
        return find(node, path, key=True), f"unknown key {quoted(path[-1])}{near}"
    if kind == "missing":
        return find(node, path[:-1]), f"{_where(what, path[:-1])} has no key {quoted(path[-1])}"
    return find(node, path), f"{_subject(path)}: {_words(kind, detail)}"


def _fields_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys of the model that ``path`` leads to, for a proposal."""
    for step in path:
        if isinstance(step, int):
            continue  # one of several of the same kind
        inner = model.model_fields[str(step)].annotation if str(step) in model.model_fields else None
        options = [inner, *getattr(inner, "__args__", ())]
        found = [one for one in options if isinstance(one, type) and issubclass(one, BaseModel)]
        if not found:
            return []
        model = found[0]
    return list(model.model_fields)


def _where(what: str, path: tuple[int | str, ...]) -> str:
    return what if not path else quoted(".".join(str(step) for step in path))


def _subject(path: tuple[int | str, ...]) -> str:
    return ".".join(step for step in path if isinstance(step, str)) or "plan"


_WORDS: Mapping[str, str] = {
    "string_type": "a text is wanted (put a number in quotes)",
    "string_too_short": "it is empty",
    "string_too_long": f"it is longer than {_NAME_LIMIT} characters",
    "int_type": "a whole number is wanted",
    "int_from_float": "a whole number is wanted",
    "float_type": "a number is wanted",
    "bool_type": "true or false is wanted",
    "list_type": "a list is wanted",
    "tuple_type": "a list is wanted",
    "dict_type": "a mapping is wanted",
    "model_type": "a mapping is wanted",
    "too_short": "it is empty",
}


def _words(kind: str, detail: ErrorDetails) -> str:
    given = detail.get("input")
    if kind in _WORDS:
        return _WORDS[kind]
    if kind in {"literal_error", "enum"}:
        wanted = detail.get("ctx", {}).get("expected", "another value")
        known = re.findall(r"'([^']+)'", str(wanted)) or [str(wanted)]
        near = nearest(str(given), known)
        return f"{quoted(given)} is not {' or '.join(known)}{near}"
    if kind == "string_pattern_mismatch":
        two_letters = "[A-Z]{2}" in str(detail.get("ctx", {}).get("pattern"))
        return (
            "a country is its two letters, such as GB" if two_letters else "it has control characters in it"
        )
    if kind in {"greater_than_equal", "greater_than", "less_than_equal"}:
        return str(detail["msg"]).replace("Input should be", "it must be")
    return str(detail["msg"])
