"""Every setting with its value and where that came from, as rows for people and as a document. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.configuration import Configuration
from orchestrator.safe import hide_userinfo, terminal
from orchestrator.settings import SETTINGS, TOKEN, Setting, Settled, Source, Value, Written, settle

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting, and what counts for it."""

    setting: Setting
    found: Settled

    @property
    def is_set(self) -> bool:
        """Whether anybody said it."""
        return self.found.source is not Source.DEFAULT

    @property
    def value(self) -> Value:
        """What may be shown of it: of a secret nothing, of a URL no password."""
        if self.setting.secret:
            return None
        value = self.found.value
        return hide_userinfo(value) if isinstance(value, str) else value

    @property
    def words(self) -> str:
        """The value for people."""
        if self.setting.secret:
            return "set" if self.is_set else "not set"
        match self.value:
            case bool() as truth:
                return "true" if truth else "false"
            case tuple() as names:
                return ", ".join(names) or "none"
            case None | "":
                return "none"
            case other:
                return str(other)


def shown(
    flags: Mapping[str, Value],
    environ: Mapping[str, str],
    plan: Mapping[str, Written],
    configuration: Configuration,
    known: Mapping[str, Settled],
) -> list[Shown]:
    """All settings in the order of their table.

    ``flags`` and ``plan`` have what was said there, by key; ``known`` what is settled already, and defaults
    that only the host knows.
    """
    rows = []
    for setting in SETTINGS:
        found = settle(
            setting,
            flag=flags.get(setting.key),
            environ=environ,
            plan=plan.get(setting.key),
            file=configuration.get(setting),
        )
        if setting.key in known and (found.source is Source.DEFAULT or setting is TOKEN):
            found = known[setting.key]
        rows.append(Shown(setting, found))
    return rows


def lines(rows: Sequence[Shown], configuration: Configuration) -> list[str]:
    """The rows as text: name, value, source."""
    names = max(len(row.setting.key) for row in rows)
    values = [terminal(row.words, 200) for row in rows]
    width = min(48, max(map(len, values)))
    told = [
        f"{row.setting.key:<{names}}  {value:<{width}}  {_source(row.found)}"
        for row, value in zip(rows, values, strict=True)
    ]
    if configuration.profiles:
        told.append(terminal(f"profiles: {', '.join(configuration.profiles)}", 2000))
    return told


def _source(found: Settled) -> str:
    place = terminal(found.place, 300)
    return f"{found.source.value} {place}" if place else found.source.value


def document(
    rows: Sequence[Shown], configuration: Configuration, wrong: Sequence[str] = ()
) -> dict[str, object]:
    """The rows as JSON values. Of secrets there is only whether they are ``set``. ``wrong``: sentences about
    what commands would refuse."""
    return {
        "schema": SCHEMA,
        "profiles": list(configuration.profiles),
        "settings": [
            {
                "name": row.setting.key,
                "value": list(row.value) if isinstance(row.value, tuple) else row.value,
                "set": row.is_set,
                "source": row.found.source.value,
                "place": row.found.place or None,
            }
            for row in rows
        ],
        "wrong": list(wrong),
    }
