"""The file of hooks: read like a plan, every problem with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from orchestrator.alerts.allowance import UNITS_EACH
from orchestrator.alerts.reading import is_path
from orchestrator.alerts.values import Finding, Hook, Proof, Way
from orchestrator.plan.document import Document, Duration, Name, Texts, check
from orchestrator.plan.problems import Place, Problems, listing, nearest, quoted
from orchestrator.plan.source import Entries, Node, find, read_yaml
from orchestrator.plan.text import text_of

MOST_HOOKS = 200
# Seconds that the time box of a diagnosis may have.
SHORTEST_BOX, LONGEST_BOX = 30.0, 1800.0
_HOOK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_SECRET = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)

# What each kind of sender sends, unless the hook says otherwise.
KINDS: Mapping[str, tuple[Proof, Finding]] = {
    "json": (Proof(), Finding(target="target")),
    "thousandeyes": (
        Proof(),
        Finding(target="alert.testTargetsDescription[]", when={"eventType": ("*_TRIGGER",)}),
    ),
    "alertmanager": (
        Proof(),
        Finding(target="labels.instance", each="alerts", when={"status": ("firing",)}),
    ),
    "pagerduty": (
        Proof(Way.HMAC, "X-PagerDuty-Signature", "v1="),
        Finding(
            target="event.data.service.id",
            time="event.occurred_at",
            when={"event.event_type": ("incident.triggered",)},
        ),
    ),
}


def _kind(value: str) -> str:
    return _known(value, KINDS, "kind of hook")


def _way(value: str) -> str:
    return _known(value, [one.value for one in Way], "way to prove a sender")


def _known(value: str, known: Any, what: str) -> str:  # noqa: ANN401 - any names
    if value not in known:
        near = nearest(value, known) or f"; there are {listing(known)}"
        raise PydanticCustomError("choice", "{text}", {"text": f"no {what} is called {quoted(value)}{near}"})
    return value


def _path(value: str) -> str:
    if not is_path(value):
        raise PydanticCustomError("path", "a path such as alert.labels.host or alerts[].target is wanted")
    return value


def _secret(values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_SECRET.fullmatch(one) for one in values):
        raise PydanticCustomError(
            "secret",
            "a reference is wanted, env:NAME or file:/path; the secret itself stands in no file of hooks",
        )
    return values


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise PydanticCustomError("header", "the name of a header is wanted, such as X-Hook-Secret")
    return value


Path_ = Annotated[Name, AfterValidator(_path)]


class _Row(Document):
    """A hook as people write it."""

    kind: Annotated[Name, AfterValidator(_kind)] = "json"
    secret: Annotated[Texts, AfterValidator(_secret)]
    by: Annotated[Name, AfterValidator(_way)] | None = None
    header: Annotated[Name, AfterValidator(_header)] | None = None
    prefix: Name | None = None
    allow: Texts
    target: Path_ | None = None
    time: Path_ | None = None
    each: Path_ | None = None
    when: dict[Path_, Texts] | None = None
    names: dict[Name, Name] = Field(default_factory=dict)
    window: Duration = 300.0
    quiet: Duration = 600.0
    per_hour: Annotated[int, Field(strict=True, ge=1, le=1000)] = 6
    units_a_day: Annotated[float, Field(ge=UNITS_EACH, le=100_000)] = 20.0
    agents: Annotated[int, Field(strict=True, ge=1, le=50)] | None = None
    box: Duration | None = None
    notify: Texts | None = None


class _Whole(Document):
    hooks: dict[str, Any] = Field(min_length=1, max_length=MOST_HOOKS)


def load_hooks(path: Path | str) -> tuple[Hook, ...]:
    """Read and check a file of hooks. Raises :class:`PlanInvalid` with every problem and its place."""
    path = Path(path)
    problems = Problems()
    text = text_of(path, problems)
    node = read_yaml(text, str(path), problems) if text is not None else None
    if text is not None and node is None and not problems:
        problems.add(Place(str(path)), "the file is empty; it has one key, hooks")
    if node is not None:
        check(_Whole, node, "the file", problems)
    found = [] if node is None else _rows(node, problems)
    problems.raise_if_any()
    return tuple(found)


def _rows(node: Node, problems: Problems) -> list[Hook]:
    listed = node.entries.get("hooks") if isinstance(node, Entries) else None
    found = []
    for name, item in listed.entries.items() if isinstance(listed, Entries) else ():
        if not _HOOK_NAME.fullmatch(name):
            key = listed.keys[name] if isinstance(listed, Entries) else item.place
            problems.add(
                key, f"{quoted(name)} is no name of a hook: small letters, digits, dashes, at most 64"
            )
        row = check(_Row, item, f"the hook {quoted(name)}", problems)
        if row is not None and isinstance(item, Entries):
            hook = _hook(name, row)
            _check(hook, row, item, problems)
            found.append(hook)
    return found


def _hook(name: str, row: _Row) -> Hook:
    proof, finding = KINDS[row.kind]
    if row.by is not None:
        proof = replace(proof, way=Way(row.by))
        if row.by in (Way.BEARER, Way.BASIC):
            proof = replace(proof, header="Authorization", prefix="")
    if row.header is not None:
        proof = replace(proof, header=row.header)
    if row.prefix is not None:
        proof = replace(proof, prefix=row.prefix)
    finding = Finding(
        target=row.target or finding.target,
        time=row.time or finding.time,
        each=row.each or finding.each,
        when=finding.when if row.when is None else row.when,
        names=row.names,
    )
    return Hook(
        name=name,
        proof=replace(proof, secrets=row.secret),
        finding=finding,
        allow=row.allow,
        window=row.window,
        quiet=row.quiet,
        per_hour=row.per_hour,
        units_a_day=row.units_a_day,
        agents=row.agents,
        box=row.box,
        notify=row.notify or (),
    )


def _check(hook: Hook, row: _Row, node: Entries, problems: Problems) -> None:
    """What only the whole of a hook can get wrong."""
    if row.box is not None and not SHORTEST_BOX <= row.box <= LONGEST_BOX:
        problems.add(
            find(node, ("box",)),
            f"box is {SHORTEST_BOX:.0f} seconds to {LONGEST_BOX / 60:.0f} minutes, not {row.box:g} s",
        )
    if hook.finding.time is not None and hook.quiet < 2 * hook.window:
        problems.add(
            find(node, ("quiet",)) if "quiet" in node.entries else find(node, ("window",)),
            f"quiet ({hook.quiet:g} s) is at least twice window ({hook.window:g} s): an alert is believed "
            "from that long before its time to that long after it, and could be sent again in between",
        )
    named = hook.proof.way in (Way.HEADER, Way.HMAC)
    if named and hook.proof.header == "Authorization":
        problems.add(
            find(node, ("by",)), f"by {hook.proof.way.value} needs the key 'header': where the proof stands"
        )
    if hook.proof.way is Way.HMAC and hook.finding.time is None:
        problems.add(
            node.place,
            "a signature without a time could be sent again for ever: say in 'time' where it stands",
        )
    if row.header is not None and not named:
        problems.add(find(node, ("header",), key=True), f"by {hook.proof.way.value} has a header already")
    if any(pattern.strip("*?. ") == "" for pattern in hook.allow):
        problems.add(
            find(node, ("allow",)), "a pattern that lets every host pass is no list of what is allowed"
        )
    if any("/" in pattern or ":" in pattern for pattern in hook.allow):
        problems.add(
            find(node, ("allow",)), "patterns are of hosts, such as *.example.com, without https:// or a port"
        )
