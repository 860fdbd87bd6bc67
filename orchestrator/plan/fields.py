"""Options of a test and fields of its targets, checked against the table of test types."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from orchestrator.model import Api, Json
from orchestrator.plan import hosts
from orchestrator.plan.problems import Place, Problems, nearest, quoted
from orchestrator.plan.source import Entries, Items, Node, Scalar, Untyped, plain, scalar_value
from orchestrator.testtypes import OURS, READ_ONLY, SCHEDULED_ONLY, Kind, Option, TestType
from orchestrator.testtypes.contacts import URL_FIELDS

# Fields that hold an address, wherever they stand, and what it must be for a test to reach it.
_ADDRESSES: Mapping[str, Callable[[str, str], str]] = {
    "server": hosts.server,
    "sipRegistrar": hosts.registrar,
    "domain": hosts.domain,
    "dnsServers": hosts.server,
    "dnsOverride": hosts.address,
}
_WEB = ("http", "https")
_TEXT_LIMIT = 1_000_000
_SET_BY_US = "{} is set for every test and cannot be given"


class FieldReader:
    """Reads fields for one type of test in one version of the API."""

    def __init__(self, kind: TestType, api: Api, problems: Problems) -> None:
        self._kind = kind
        self._api = api
        self._problems = problems

    def options(self, node: Node | None) -> dict[str, Json]:
        """The options of a test block."""
        if not isinstance(node, Entries):
            return {}
        return self._mapping(node, self._kind.options, whole=False)

    def field(self, name: str, node: Node, key: Place) -> Json:
        """One field of a target; ``None`` with a problem noted when it is wrong."""
        if name not in self._kind.options:
            self._unknown(name, key, self._kind.options)
            return None
        return self._option(self._kind.options[name], node, key)

    def sip_field(self, name: str, node: Node, key: Place) -> Json:
        """One field of ``targetSipCredentials`` that a target gives flat, as a CSV file must."""
        return self._option(self._kind.options["targetSipCredentials"].fields[name], node, key)

    def raw(self, node: Node | None) -> dict[str, Json]:
        """Fields that the table does not know; what is set for every test, and addresses, are refused."""
        if not isinstance(node, Entries):
            return {}
        for name in node.entries:
            if name in OURS:
                self._problems.add(
                    node.keys[name], f"{quoted(name)} is set for every test and cannot be given"
                )
            elif name in self._kind.options and name in {*URL_FIELDS, *_ADDRESSES, self._kind.bare}:
                message = f"{quoted(name)} is known here: it stands in 'targets' or 'options', not in 'raw'"
                self._problems.add(node.keys[name], message)
        return {name: plain(value) for name, value in node.entries.items()}

    def _mapping(self, node: Entries, known: Mapping[str, Option], *, whole: bool) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for name, value in node.entries.items():
            key = node.keys[name]
            if name not in known:
                self._unknown(name, key, known)
            elif not isinstance(value, Scalar) or value.value is not None:
                converted = self._option(known[name], value, key)
                if converted is not None:
                    found[name] = converted
            elif known[name].nullable:
                found[name] = None
        for option in known.values() if whole else ():
            if option.required and option.name not in node.entries:
                self._problems.add(node.place, f"{quoted(option.name)} is missing here")
        return found

    def _unknown(self, name: str, key: Place, known: Iterable[str]) -> None:
        type_name = self._kind.name
        if name in OURS:
            text = _SET_BY_US.format(quoted(name))
        elif name in READ_ONLY:
            text = f"{quoted(name)} is set by the API and cannot be given"
        elif name in SCHEDULED_ONLY:
            text = f"{quoted(name)} belongs to scheduled tests, instant tests do not have it"
        else:
            hint = self._kind.hints.get(name)
            near = (
                f"; {hint}" if hint else nearest(name, known) or "; fields that we do not know go under 'raw'"
            )
            text = f"{type_name} has no option {quoted(name)}{near}"
        self._problems.add(key, text)

    def _option(self, option: Option, node: Node, key: Place) -> Json:
        if self._api is Api.V6 and option.v6 is None and option.name in self._kind.options:
            self._problems.add(key, f"API v6 has no {quoted(option.name)} in {self._kind.name}")
            return None
        if isinstance(node, Scalar):
            return self._scalar(option, node)
        if isinstance(node, Items):
            return self._list(option, node)
        if option.kind is Kind.OBJECT:
            return self._mapping(node, option.fields, whole=False)
        if option.kind is Kind.FREE:
            return self._free(node)
        return self._wrong(option, node)

    def _wrong(self, option: Option, node: Node) -> Json:
        self._problems.add(node.place, f"{option.name}: {option.kind.value} is wanted")
        return None

    def _list(self, option: Option, node: Items) -> Json:
        if option.kind is Kind.OBJECTS:
            found: list[Json] = []
            for item in node.items:
                if isinstance(item, Entries):
                    found.append(self._mapping(item, option.fields, whole=True))
                else:
                    self._problems.add(item.place, f"{option.name}: a mapping is wanted")
            return found
        if option.kind not in {Kind.STRINGS, Kind.IDS}:
            return self._wrong(option, node)
        texts: list[Json] = []
        for item in node.items:
            text = self._text(option, item) if isinstance(item, Scalar) else None
            text = None if text is None else self._address(option, text, item.place)
            if text is None:
                self._problems.add(item.place, f"{option.name}: a text is wanted (put a number in quotes)")
            elif text in texts:
                shown = "the same text" if option.secret else quoted(text)
                self._problems.add(item.place, f"{option.name} has {shown} twice")
            else:
                texts.append(text)
        return texts

    def _text(self, option: Option, node: Scalar) -> str | None:
        value = node.value
        if isinstance(value, str):
            return str(value) if value.strip() else None
        if option.kind is Kind.IDS and isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return None

    def _scalar(self, option: Option, node: Scalar) -> Json:
        if option.kind in {Kind.STRINGS, Kind.IDS}:
            return self._list(option, Items(tuple(_split(node)), node.place))
        value = _value_for(option.kind, node.value)
        if value is None:
            return self._wrong(option, node)
        if isinstance(value, str):
            return self._checked_text(option, value, node.place)
        if not isinstance(value, bool):
            low, high = option.minimum, option.maximum
            if (low is not None and value < low) or (high is not None and value > high):
                self._problems.add(node.place, f"{option.name} is {_range(low, high)}, not {quoted(value)}")
        return value

    def _checked_text(self, option: Option, text: str, place: Place) -> str:
        if option.choices and text not in option.choices:
            near = nearest(text, option.choices) or f"; it is one of {', '.join(option.choices)}"
            self._problems.add(place, f"{option.name}: {quoted(text)} is not known{near}")
        elif option.required and not text.strip():
            self._problems.add(place, f"{option.name} is empty")
        elif len(text) > _TEXT_LIMIT:
            self._problems.add(place, f"{option.name} is longer than {_TEXT_LIMIT} characters")
        else:
            return self._address(option, text, place)
        return text

    def _address(self, option: Option, text: str, place: Place) -> str:
        """The text as it is sent if it is an address; a problem if nothing could be reached there."""
        name = option.name
        try:
            if name in URL_FIELDS:
                own = option is self._kind.options.get(name)
                # A step of an API test may take its address from the answer of an earlier step.
                variable = not own and "{{" in text
                schemes = self._kind.schemes if own else _WEB
                return text if variable else hosts.url(text, name, schemes)
            return _ADDRESSES[name](text, name) if name in _ADDRESSES else text
        except hosts.AddressInvalid as error:
            self._problems.add(place, str(error))
            return text

    def _free(self, node: Entries) -> Json:
        found: dict[str, Json] = {}
        for name, value in node.entries.items():
            if isinstance(value, Entries):
                found[name] = self._free(value)
            elif isinstance(value, Scalar) and not isinstance(value.value, bool | None):
                found[name] = str(value.value)
            else:
                self._problems.add(
                    value.place, f"{quoted(name)}: a text is wanted (put true and false in quotes)"
                )
        return found


def _split(node: Scalar) -> list[Scalar]:
    """A list written as one text: in a CSV cell or the environment several, separated by blanks or ``;``."""
    if isinstance(node.value, Untyped):
        return [Scalar(one, node.place) for one in re.split(r"[\s;]+", node.value) if one]
    return [node]


def _value_for(kind: Kind, value: Json) -> str | int | float | bool | None:
    """The value as ``kind`` wants it, or ``None`` if it is of another kind."""
    if kind is Kind.STRING:
        return str(value) if isinstance(value, str) else None
    if kind is Kind.ID and isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    typed = scalar_value(str(value)) if isinstance(value, Untyped) else value
    if kind is Kind.BOOLEAN and isinstance(typed, bool):
        return typed
    if isinstance(typed, bool):
        return None
    if (kind is Kind.INTEGER and isinstance(typed, int)) or (
        kind is Kind.NUMBER and isinstance(typed, int | float)
    ):
        return typed
    return None


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"from {low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high or 0:g}"


def merged(options: Mapping[str, Json], own: Mapping[str, Json]) -> dict[str, Json]:
    """Options with what the target brings; a mapping of both is merged, the target's values win."""
    found = dict(options)
    for name, value in own.items():
        base = found.get(name)
        if isinstance(base, dict) and isinstance(value, dict):
            found[name] = {**base, **value}
        else:
            found[name] = value
    return found


def conflict(kind: TestType, fields: Mapping[str, Json]) -> str | None:
    """What is wrong between fields that are right by themselves (the vendor's reference), or ``None``."""

    def number(name: str) -> float:
        value = fields.get(name, kind.options[name].default)
        return float(value) if isinstance(value, int | float) else 0.0

    if "pageLoadTimeLimit" in kind.options and number("pageLoadTimeLimit") <= number("httpTimeLimit"):
        page, http = number("pageLoadTimeLimit"), number("httpTimeLimit")
        return f"pageLoadTimeLimit ({page:g} s) must be more than httpTimeLimit ({http:g} s)"
    # Of the two types with these fields the vendor says it of the one that runs a script.
    timed = "transactionScript" in kind.options and "targetTime" in fields
    if timed and number("targetTime") > number("timeLimit"):
        return f"targetTime cannot be more than timeLimit ({number('timeLimit'):g} s)"
    if "throughputRate" in fields and fields.get("protocol") != "udp":
        return "throughputRate is for protocol: udp only"
    return None
