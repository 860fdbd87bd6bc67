"""The command line's own help as a page of the manual. Pure: what click knows of the commands, as roff.

A page made by hand says something else than the help after a while.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import click

from orchestrator.settings import SETTINGS

FILES = (
    (
        "~/.config/orchestrator/orchestrator.toml",
        "Defaults and profiles, in $XDG_CONFIG_HOME if it is set.",
    ),
    ("~/.local/state/orchestrator/orchestrator.db", "The store, unless another one is named."),
)
# How a plain character is written, so that it comes out as it is, and no other one that looks like it.
_PLAIN = {"\\": r"\e", "-": r"\-", "~": r"\(ti", "^": r"\(ha", "`": r"\(ga", "'": r"\(aq", '"': r"\(dq"}
_SPECIAL = re.compile(r"""[\\~^`'"-]|[^\x20-\x7e]""")
# A paragraph after this sign is not filled.
_AS_IT_IS = "\b"
# Bytes of a line, by a rule of the checker's.
_WIDTH = 76


def man_page(root: click.Group, version: str, date: str = "") -> str:
    """The page ``orchestrator(1)``, with every command. ``date`` is that of the version, if it is known."""
    name = root.name or "orchestrator"
    context = click.Context(root, info_name=name, **root.context_settings)
    first, _, rest = (root.help or "").partition("\n")
    lines = [
        f'.TH {_escaped(name.upper())} 1 "{date}" "{_escaped(name)} {_escaped(version)}" "User Commands"',
        ".SH NAME",
        rf"{_escaped(name)} \- {_escaped(first[:1].lower() + first[1:].rstrip('.'))}",
        ".SH SYNOPSIS",
        *_usage(context),
        ".SH DESCRIPTION",
        *_prose(rest),
        ".SH OPTIONS",
        *_options(context),
        ".SH COMMANDS",
        *_commands(context),
        ".SH ENVIRONMENT",
        *_listed((variable, one.meaning) for one in SETTINGS for variable in one.variables),
        ".SH FILES",
        *_listed(FILES),
        ".SH EXIT STATUS",
        *_listed(_exit_codes(root.epilog or "")),
    ]
    return "\n".join(lines) + "\n"


def _commands(parent: click.Context) -> Iterator[str]:
    """Every command that can be called, each with its help; groups have only those of theirs."""
    group = parent.command
    assert isinstance(group, click.Group)  # noqa: S101 - only groups are asked
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        if command is None or command.hidden:
            continue
        context = click.Context(command, info_name=name, parent=parent)
        if isinstance(command, click.Group):
            yield from _commands(context)
            continue
        yield f'.SS "{_escaped(context.command_path)}"'
        yield from _usage(context)
        yield ".PP"
        yield from _prose(command.help or "")
        yield from _options(context)


def _usage(context: click.Context) -> Iterator[str]:
    yield f".B {_escaped(context.command_path)}"
    yield from _filled(" ".join(context.command.collect_usage_pieces(context)))


def _options(context: click.Context) -> Iterator[str]:
    options = [one for one in context.command.get_params(context) if isinstance(one, click.Option)]
    records = (one.get_help_record(context) for one in options)
    return _listed(record for record in records if record is not None)


def _listed(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for term, text in rows:
        yield ".TP"
        yield rf"\fB{_escaped(term)}\fR"
        yield from _filled(text)


def _exit_codes(epilog: str) -> Iterator[tuple[str, str]]:
    """The numbers of the help's last lines, each with what it means."""
    text = " ".join(epilog.replace(_AS_IT_IS, "").split()).partition(":")[2].rstrip(".")
    for part in text.split(";"):
        found = re.fullmatch(r"\s*((?:\d+(?:, )?)+)\s+(.*)", part)
        if found is not None:
            yield found[1], found[2]


def _prose(text: str) -> Iterator[str]:
    """Paragraphs; after click's sign for it as they are."""
    for number, paragraph in enumerate(one for one in inspect.cleandoc(text).split("\n\n") if one.strip()):
        if number:
            yield ".PP"
        lines = paragraph.strip("\n").split("\n")
        if lines[0].strip() == _AS_IT_IS:
            yield ".nf"
            yield from (_line(line) for line in lines[1:])
            yield ".fi"
        else:
            yield from _filled(paragraph)


def _filled(text: str) -> Iterator[str]:
    """Text in lines, which the reader fills anew."""
    text = _escaped(" ".join(text.split()))
    for line in textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False):
        yield _begun(line)


def _line(text: str) -> str:
    return _begun(_escaped(text))


def _begun(escaped: str) -> str:
    """A line of text, which no first character makes a request."""
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda one: _PLAIN.get(one[0]) or rf"\[u{ord(one[0]):04X}]", text)
