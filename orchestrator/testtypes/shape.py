"""What the table of test types is made of: options, their v6 forms, types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from orchestrator.model import Json


class Kind(StrEnum):
    """JSON shape of an option, in words for people.

    Ids travel as JSON strings in v7 (api-facts 1.4) but are numbers to people: ``ID`` and ``IDS`` take whole
    numbers too and become strings. ``FREE`` is a mapping whose keys are the user's own, such as HTTP headers.
    """

    STRING = "text"
    ID = "an id (text or whole number)"
    INTEGER = "a whole number"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    STRINGS = "a list of texts"
    IDS = "a list of ids"
    OBJECT = "a mapping"
    OBJECTS = "a list of mappings"
    FREE = "a mapping of names to texts"


class V6Form(StrEnum):
    """How a v7 value is written in v6 (api-facts 7.2, 7.7)."""

    SAME = "same"
    FLAG = "0 or 1"
    INTEGER = "integer"
    INTEGERS = "list of integers"
    UPPER = "UPPER_CASE"  # to-target -> TO_TARGET
    CAPITALIZED = "Capitalized"  # download -> Download
    CAMEL = "camelCase"  # in-session -> inSession
    SERVERS = "list of {serverName}"
    GROUPS = "list of {groupId}"
    ACCOUNTS = "list of {aid}"
    NESTED = "mapping, each field in its own form"


@dataclass(frozen=True, slots=True)
class Option:
    """One request field by its v7 name.

    ``minimum`` and ``maximum`` are in the field's own unit. ``default`` is the API's own, used for prices,
    deadlines and layers only, never sent. ``secret`` values are masked wherever they are shown. ``v6`` is
    the field's v6 name, ``None`` when v6 has no such field; ``v6_default`` is sent to v6 where the plan says
    nothing, because the versions' defaults differ and one plan means one thing. ``fields`` describes the
    inside of ``OBJECT`` and of each item of ``OBJECTS``.
    """

    name: str
    kind: Kind
    doc: str = ""
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    default: Json = None
    secret: bool = False
    nullable: bool = False
    v6: str | None = None
    v6_form: V6Form = V6Form.SAME
    v6_default: Json = None
    fields: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class TestType:
    """One kind of instant test.

    ``v6_name`` is ``None`` where v6 has no such type. ``bare`` is the field that a string target fills, a
    field of the object ``nested`` where that is named; ``schemes`` are those of its addresses, if any.
    ``layers`` has the primary layer first; ``always_network``: ``networkMeasurements`` means something else
    here and takes no layer away. ``limit`` names the option that bounds one measurement, in seconds.

    ``hints``: what to do instead, by names that people know from other types or versions.

    ``v6_port_in`` names the text at whose end v7 wants the port, for which v6 has a field of its own;
    ``v6_repeated`` are the fields of ``nested`` that v6 wants at the top level too.
    """

    name: str
    v6_name: str | None
    bare: str
    options: Mapping[str, Option]
    layers: tuple[str, ...]
    limit: str | None = None
    nested: str | None = None
    schemes: tuple[str, ...] = ("http", "https")
    always_network: bool = False
    hints: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    v6_port_in: str | None = None
    v6_repeated: tuple[str, ...] = ()

    @property
    def target_fields(self) -> tuple[str, ...]:
        """Fields that tell one target from another: what every target must bring or the options must fill."""
        return tuple(option.name for option in self.options.values() if option.required)

    def secrets(self) -> Iterator[tuple[str, ...]]:
        """Paths of the fields that must be masked when shown; an ``OBJECTS`` list is passed through."""
        return _secret_paths(self.options, ())


def _secret_paths(options: Mapping[str, Option], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for option in options.values():
        if option.secret:
            yield (*above, option.name)
        else:
            yield from _secret_paths(option.fields, (*above, option.name))
