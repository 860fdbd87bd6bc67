"""The state of a plan on a channel as JSON values, and back.

What was stored by another version, or damaged, is as if it had never been known.
"""

from __future__ import annotations

from dataclasses import fields

from orchestrator.model import Json, JsonObject
from orchestrator.notices.values import CALM, SOON, Flakes, Key, State, Track


def dump(state: State) -> JsonObject:
    """As JSON values."""
    return {
        "tracks": [_dump_track(one) for one in state.tracks],
        "since": state.since,
        "runs": state.runs,
        "flakes": [[one.fresh, one.judged] for one in state.flakes],
        "alone": [_dump_key(key) for key in sorted(state.alone)],
        "last": state.last,
        "ended": state.ended,
    }


def load(data: JsonObject | None) -> State:
    """What :func:`dump` gave."""
    try:
        return _load(data or {})
    except (KeyError, TypeError, ValueError, IndexError):
        return State()


def _load(data: JsonObject) -> State:
    since, ended, last = data.get("since"), data.get("ended"), data.get("last")
    return State(
        tracks=tuple(_load_track(_object(one)) for one in _list(data.get("tracks"))),
        since=None if since is None else _float(since),
        runs=_int(data.get("runs", 0)),
        flakes=tuple(Flakes(*map(_int, _list(one))) for one in _list(data.get("flakes"))),
        alone=frozenset(_load_key(one) for one in _list(data.get("alone"))),
        last=None if last is None else str(last),
        ended=None if ended is None else _float(ended),
    )


def _dump_key(key: Key) -> Json:
    return [key.kind, [*key.value], key.level]


def _load_key(data: Json) -> Key:
    kind, value, level = _list(data)
    return Key(str(kind), tuple(str(one) for one in _list(value)), str(level))


def _dump_track(track: Track) -> JsonObject:
    told: JsonObject = {one.name: getattr(track, one.name) for one in fields(Track)}
    return told | {"key": _dump_key(track.key), "seen": [*track.seen]}


def _load_track(data: JsonObject) -> Track:
    return Track(
        key=_load_key(data["key"]),
        label=str(data["label"]),
        since=_float(data["since"]),
        seen=tuple(one is True for one in _list(data["seen"])),
        steady=_int(data["steady"]),
        lasted=_int(data["lasted"]),
        up=data["up"] is True,
        told=data["told"] is True,
        flapping=data["flapping"] is True,
        calm=_int(data.get("calm", CALM)),
        settled=_int(data.get("settled", SOON)),
    )


def _list(data: Json) -> list[Json]:
    if data is None:
        return []
    if not isinstance(data, list):
        raise TypeError(type(data))
    return data


def _object(data: Json) -> JsonObject:
    if not isinstance(data, dict):
        raise TypeError(type(data))
    return data


def _int(data: Json) -> int:
    return int(_float(data))


def _float(data: Json) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise TypeError(type(data))
    return float(data)
