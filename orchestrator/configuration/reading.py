"""Reads and checks a file of configuration. Never a secret in it: a reference to one, or it is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.configuration import Configuration
from orchestrator.configuration.toml import Leaf, read_toml
from orchestrator.errors import UsageProblem
from orchestrator.outbox import CHANNEL
from orchestrator.plan.problems import Place, Problems, listing, nearest, quoted
from orchestrator.plan.text import text_of
from orchestrator.settings import BASE_URL, NOTIFY, PROFILE, SETTINGS, TOKEN, Kind, Setting, Value, Written

PROFILES = "profiles"
MOST_PROFILES = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,4096}\Z")
_REFERENCE = re.compile(
    r"(?:env:[A-Za-z_][A-Za-z0-9_]{0,200}|credential:[A-Za-z0-9_.-]{1,100}|file:[^\x00-\x1f\x7f]{1,4000})\Z"
)
_BY_KEY: Mapping[str, Setting] = {one.key: one for one in SETTINGS if one.in_file}
_IN_A_PROFILE = tuple(key for key in _BY_KEY if key != PROFILE.key)


def load_configuration(path: Path, profile: str | None = None) -> Configuration:
    """Read a file, with the values of ``profile``, else of the profile that the file itself names.

    Raises :class:`orchestrator.errors.PlanInvalid` with every problem and its place, and ``UsageProblem`` for
    a profile that it has not.
    """
    problems = Problems()
    text = text_of(path, problems)
    found = parse_configuration(text or "", str(path), profile, problems, path.parent)
    problems.raise_if_any()
    return found


def parse_configuration(
    text: str, file: str, profile: str | None, problems: Problems, folder: Path
) -> Configuration:
    """The same of a text; what is wrong goes to ``problems``. ``folder``: where paths begin.

    Raises ``UsageProblem`` for a profile that it has not, if nothing else is wrong.
    """
    read = _Reader(problems, folder)
    for leaf in read_toml(text, file, problems):
        read.take(leaf)
    common, profiles = read.common, read.profiles
    usual = common.get(PROFILE.key)
    if usual is not None and usual.value not in profiles:
        place = Place(file, usual.line, usual.column)
        problems.add(place, f"no profile is called {quoted(usual.value)}{_known(str(usual.value), profiles)}")
    if profile is not None and profile not in profiles and not problems:
        raise UsageProblem(f"no profile is called {quoted(profile)} in {file}{_known(profile, profiles)}")
    chosen = profile if profile is not None else None if usual is None else str(usual.value)
    return Configuration(file, chosen, tuple(profiles), _over(common, profiles.get(chosen or "", {})))


def _over(common: Mapping[str, Written], own: Mapping[str, Written]) -> dict[str, Written]:
    """A profile's values over those for all. A token is for the origin that it was written down with: a
    profile with an origin of its own has its own token, or none."""
    left = {key: value for key, value in common.items() if not (key == TOKEN.key and BASE_URL.key in own)}
    return {**left, **own}


def _known(name: str, profiles: Iterable[str]) -> str:
    there = list(profiles)
    return nearest(name, there) or (f"; there are {listing(there)}" if there else "; it has no profiles")


class _Reader:
    """Takes one value after the other: into those for all, or into those of a profile."""

    def __init__(self, problems: Problems, folder: Path) -> None:
        self.common: dict[str, Written] = {}
        self.profiles: dict[str, dict[str, Written]] = {}
        self._problems = problems
        self._folder = folder
        self._unknown: set[tuple[str, ...]] = set()

    def take(self, leaf: Leaf) -> None:
        """One value, or the head of a table."""
        first, *rest = leaf.path
        if first == PROFILES:
            self._take_profile(leaf, rest)
        elif self._is_known(first, (*_BY_KEY, PROFILES), leaf):
            self._set(self.common, first, leaf, rest)

    def _take_profile(self, leaf: Leaf, path: list[str]) -> None:
        name, inner = path[0] if path else "NAME", path[1:]
        if not inner and leaf.value != {}:
            self._problems.add(
                leaf.place, f"a profile is a table: [{PROFILES}.{name}], and its settings below it"
            )
        elif path and not _NAME.match(name):
            text = f"{quoted(name)} is no name of a profile: letters, digits, '.', '_' and '-', at most 64"
            self._problems.add(leaf.place, text)
        elif path and name not in self.profiles and len(self.profiles) >= MOST_PROFILES:
            self._problems.add(leaf.place, f"more than {MOST_PROFILES} profiles")
        elif path:
            own = self.profiles.setdefault(name, {})
            if inner and inner[0] == PROFILE.key:
                self._problems.add(leaf.place, "a profile cannot name another one")
            elif inner and self._is_known(inner[0], _IN_A_PROFILE, leaf):
                self._set(own, inner[0], leaf, inner[1:])

    def _is_known(self, key: str, known: tuple[str, ...], leaf: Leaf) -> bool:
        if key in known:
            return True
        path = leaf.path[: leaf.path.index(key) + 1]
        if path in self._unknown:  # the rest of a table that is not known
            return False
        self._unknown.add(path)
        elsewhere = next((one for one in SETTINGS if one.key == key and one.variables), None)
        if elsewhere is not None:
            text = f"{quoted(key)} stands in no file of configuration: it is {elsewhere.variables[0]}"
        else:
            text = f"unknown key {quoted(key)}{nearest(key, known) or f'; known here: {listing(known, 30)}'}"
        self._problems.add(leaf.place, text)
        return False

    def _set(self, values: dict[str, Written], key: str, leaf: Leaf, inner: list[str]) -> None:
        try:
            value = _checked(_BY_KEY[key], {} if inner else leaf.value, self._folder)
        except ValueError as problem:
            self._problems.add(leaf.place, f"{key}: {problem}")
            return
        values[key] = Written(value, leaf.place.file, leaf.place.line, leaf.place.column)


def _checked(setting: Setting, value: object, folder: Path) -> Value:
    """The value as its setting wants it. Raises ``ValueError``, which never repeats what may be a secret."""
    wanted = f"{setting.kind.value} is wanted"
    match setting.kind:
        case Kind.TRUTH:
            if isinstance(value, bool):
                return value
        case Kind.COUNT:
            if isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 1e9:
                return value
        case Kind.NUMBER:
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9:
                return value
        case Kind.NAMES:
            return _names(setting, value, wanted)
        case _:
            if isinstance(value, str) and _TEXT.match(value):
                return _text(setting, value, folder)
    raise ValueError(wanted)


def _names(setting: Setting, value: object, wanted: str) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value]
    names = [one for one in given if isinstance(one, str) and _TEXT.match(one)]
    if len(names) != len(given):
        raise ValueError(wanted)
    if setting is NOTIFY and not all(CHANNEL.fullmatch(one) for one in names):
        raise ValueError("names of channels are wanted; the address of one is a secret (docs/notices.md)")
    return tuple(names)


def _text(setting: Setting, value: str, folder: Path) -> str:
    if setting.choices and value not in setting.choices:
        raise ValueError(f"one of {', '.join(setting.choices)} is wanted{nearest(value, setting.choices)}")
    if setting.kind is Kind.TOKEN:
        return _reference(value, folder)
    if setting.kind is Kind.PATH or (setting.kind is Kind.STORE and "://" not in value):
        return _below(folder, value)
    return value


def _reference(value: str, folder: Path) -> str:
    if not _REFERENCE.match(value):
        raise ValueError(
            "a reference is wanted: env:NAME, file:/path or credential:NAME; the token itself stands in no "
            "file of settings. If this was one, take it out, and make a new one where others could read it"
        )
    kind, _, name = value.partition(":")
    return f"{kind}:{_below(folder, name)}" if kind == "file" and ("/" in name or "~" in name) else value


def _below(folder: Path, value: str) -> str:
    """A path of the file: it begins in the file's folder, whatever the current one is."""
    try:
        return str(folder / Path(value).expanduser())
    except RuntimeError as problem:
        raise ValueError("its home directory is not known") from problem
