"""A scenario file (YAML or JSON): a simulated world with its faults, written down to be played again."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from orchestrator.simulator.culprits import problems_of
from orchestrator.simulator.faults import DEFAULT_MATCH, check_kind, parse_fault
from orchestrator.simulator.scenario_culprits import culprits_of
from orchestrator.simulator.settings import MATCHES, MEDIANS, AccountGroup, Fault, Noise, Settings

_MAX_BYTES: Final = 1_000_000


class ScenarioError(ValueError):
    """The file cannot be read as a scenario; the text names the file and every problem found."""


def load_scenario(path: Path) -> Settings:
    """Read a scenario file. Raises ScenarioError with everything that is wrong in it."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # a pipe, a device may never end
            raise ScenarioError(f"{path}: is not a file")
        if path.stat().st_size > _MAX_BYTES:
            raise ScenarioError(f"{path}: a scenario has at most {_MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: is not UTF-8 text") from error
    return read_scenario(_parse(text, str(path)), str(path))


def _parse(text: str, name: str) -> Any:
    from ruamel.yaml import YAML  # noqa: PLC0415 - only scenario files need a parser
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - as above

    try:
        # JSON is YAML 1.2 too.
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else name
        problem = getattr(error, "problem", None) or "cannot be understood"
        raise ScenarioError(f"{where}: {problem}") from error


def read_scenario(document: Any, name: str = "scenario") -> Settings:
    """Settings from a parsed document; an empty one gives the defaults. Raises ScenarioError."""
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise ScenarioError(f"{name}: a scenario is a mapping of settings")
    problems: list[str] = []
    values: dict[str, Any] = {}
    for key, value in document.items():
        reader = _READERS.get(str(key))
        if reader is None:
            problems.append(f"unknown setting '{key}'{_nearest(str(key), _READERS)}")
            continue
        try:
            values[str(key)] = reader(value)
        except ValueError as error:
            problems += [f"{key}: {line}" for line in str(error).splitlines()]
    if not problems:
        try:
            settings = Settings(**values)
            problems += problems_of(settings)
        except ValueError as error:
            problems.append(str(error))
        else:
            if not problems:
                return settings
    raise ScenarioError("\n".join(f"{name}: {problem}" for problem in problems))


def _nearest(word: str, known: Mapping[str, object]) -> str:
    found = difflib.get_close_matches(word, known, 1)
    return f", did you mean '{found[0]}'?" if found else ""


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 - readers have one kind of error
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError("must be a number")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - readers have one kind of error
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004 - readers have one kind of error
    return value


def _list_of(reader: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError("must be a list")  # noqa: TRY004 - readers have one kind of error
        return tuple(reader(item) for item in value)

    return read


def _medians(value: Any) -> Mapping[str, float]:
    if not isinstance(value, dict):
        raise ValueError("must be a mapping from test type to seconds")  # noqa: TRY004 - as above
    for name in value:
        if name not in MEDIANS:
            raise ValueError(f"unknown test type '{name}'{_nearest(str(name), MEDIANS)}")
    given = {name: _number(seconds) for name, seconds in value.items()}
    if any(seconds <= 0 for seconds in given.values()):
        raise ValueError("seconds must be positive")
    return MappingProxyType({**MEDIANS, **given})


def _account_group(value: Any) -> AccountGroup:
    if not isinstance(value, dict) or set(value) != {"aid", "name"}:
        raise ValueError("an account group is a mapping with aid and name")
    return AccountGroup(_whole(value["aid"]), _text(value["name"]))


def _noise(value: Any) -> Noise:
    if not isinstance(value, dict):
        raise ValueError("must be a mapping with seed, own, common and spikes")  # noqa: TRY004 - as above
    given: dict[str, Any] = {}
    for key, item in value.items():
        reader = _NOISE_READERS.get(str(key))
        if reader is None:
            raise ValueError(f"unknown key '{key}'{_nearest(str(key), _NOISE_READERS)}")
        try:
            given[key] = reader(item)
        except ValueError as error:
            raise ValueError(f"{key} {error}") from error
    return Noise(**given)


def _fault(value: Any) -> Fault:
    """A fault as on the command line (``kind:match:probability``) or as a mapping."""
    if isinstance(value, str):
        return parse_fault(value)
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise ValueError("a fault is a string or a mapping with a kind")  # noqa: TRY004 - as above
    check_kind(value["kind"])
    given: dict[str, Any] = {"match": DEFAULT_MATCH.get(value["kind"], "any")}
    for key, item in value.items():
        reader = _FAULT_READERS.get(str(key))
        if reader is None:
            raise ValueError(f"unknown key '{key}' in a fault{_nearest(str(key), _FAULT_READERS)}")
        try:
            given[key] = reader(item)
        except ValueError as error:
            raise ValueError(f"fault '{value['kind']}': {key} {error}") from error
    if given.get("type", next(iter(MEDIANS))) not in MEDIANS:
        raise ValueError(
            f"fault '{value['kind']}': unknown test type '{given['type']}'{_nearest(given['type'], MEDIANS)}"
        )
    if given["match"] not in MATCHES:
        raise ValueError(f"fault '{value['kind']}': match must be one of {', '.join(MATCHES)}")
    return Fault(**given)


_FAULT_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("kind", "match", "layer", "type"), _text),
    "target": lambda value: str(value) if isinstance(value, int) else _text(value),
    **dict.fromkeys(("probability", "value"), _number),
    **dict.fromkeys(("nth", "first", "after"), _whole),
}
_NOISE_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "seed": _whole,
    **dict.fromkeys(("own", "common", "spikes"), _number),
}
_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(
        (
            *("seed", "organization_limit", "instant_limit", "cloud_agents", "enterprise_agents"),
            *("snapshot_limit", "clusters", "page_size", "organization_id", "units_included", "units_used"),
        ),
        _whole,
    ),
    **dict.fromkeys(
        (
            *("window", "others", "others_instant", "sigma", "latency", "shortest", "longest"),
            *("layer_extra", "spread", "network_delay", "error_rate", "trouble", "snapshot_window"),
            "usage_lag",
        ),
        _number,
    ),
    **dict.fromkeys(
        (
            *("aligned", "headers", "all_online", "listed", "numbers_as_strings", "shared_rounds"),
            *("refuse_unknown_fields", "refuse_disabled"),
        ),
        _flag,
    ),
    **dict.fromkeys(("token", "email", "links", "organization", "base_url", "topology"), _text),
    "medians": _medians,
    "countries": _list_of(_text),
    "target_only": _list_of(_whole),
    "account_groups": _list_of(_account_group),
    "faults": _list_of(_fault),
    "noise": _noise,
    "culprits": culprits_of,
}

# Every setting can be written down.
assert set(_READERS) == {field.name for field in fields(Settings)}  # noqa: S101 - a defect of ours
