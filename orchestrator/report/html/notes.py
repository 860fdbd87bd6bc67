"""What the report does not tell, and how to go on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from orchestrator.insight.silence import Silence
from orchestrator.report.commands import PROGRAM, next_commands, repeat_command
from orchestrator.report.digest import Group
from orchestrator.report.headline import many
from orchestrator.report.html.material import Material
from orchestrator.report.html.text import shown
from orchestrator.report.html.view import Command, Part

_UNKNOWN = 10


def limits(material: Material) -> tuple[tuple[Part, ...], ...]:
    """What is not told, and why, one line each."""
    return tuple(_limits(material))


def _limits(material: Material) -> Iterator[tuple[Part, ...]]:
    for group in material.overview.left_out:
        yield _group("Left out before the start", group)
    for group in material.overview.not_run:
        yield _group("Not run", group)
    yield from ((Part(_sentence(line)),) for line in material.insight.limits)
    for silence in material.insight.silences:
        if silence.group.kind == "layer*type":
            yield _layer(silence)
    yield from _lost(material)
    wanted, got = material.overview.counts.paths.wanted, material.overview.counts.paths.got
    if not wanted:
        yield (Part("Where packets went: no hops were asked for."),)
    elif got < wanted:
        yield (Part(f"Where packets went in {wanted - got} of {many(wanted, 'path')}: no hops came."),)
    when = "after" if material.since.trail else "before or after"
    yield (Part(f"Whether it was so {when}: this is one round of measurements."),)
    if material.run.simulated:
        yield (Part("Anything about a real network: this run was simulated."),)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _group(what: str, group: Group) -> tuple[Part, ...]:
    more = group.agents_total - len(group.agents)
    names = ", ".join(shown(name) for name in group.agents) + (f" and {more} more" if more else "")
    return (
        Part(f"{what}: {many(group.cells, 'cell')} of "),
        Part(names, data=True),
        Part(" ("),
        Part(shown(group.reason), data=True),
        Part(")."),
    )


def _layer(silence: Silence) -> tuple[Part, ...]:
    layer = shown(silence.label)
    return (Part("What "), Part(layer, data=True), Part(" would have said: it did not come."))


def _lost(material: Material) -> Iterator[tuple[Part, ...]]:
    if not material.overview.unknown:
        return
    names = ", ".join(shown(test.name or test.spec.key) for test in material.overview.unknown[:_UNKNOWN])
    more = len(material.overview.unknown) - _UNKNOWN
    yield (
        Part(
            f"What became of {many(len(material.overview.unknown), 'creation')} whose answer was lost; "
            "they may exist and may have been paid for: "
        ),
        Part(names, data=True),
        Part(f" and {more} more." if more > 0 else "."),
    )


def commands(material: Material) -> tuple[Command, ...]:
    """What a person may want next, ready to paste."""
    run = material.run
    found = [*next_commands(run, material.overview.counts, bool(material.overview.unknown))]
    repeat = repeat_command(run)
    if repeat is not None:
        found.insert(0, ("the same once more", repeat))
    name = shlex.quote(run.id)
    found.append(("all answers as CSV", f"{PROGRAM} results {name} --format csv"))
    found.append(("the story of one cell", f"{PROGRAM} explain {name} TARGET@AGENT"))
    return tuple(Command(what, shown(command, 1000)) for what, command in found)
