"""README.md and docs/ as data: fenced blocks with their headings, commands, and what they are parsed by."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from orchestrator.cli import cli

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(?P<info>.*)$")
_HEADING = re.compile(r"^#+ (?P<text>.*)$")
# What ends the words of one command on a line of shell.
_SHELL_ENDS = frozenset({"||", "&&", ";", "|", ">", ">>", "2>", "&"})


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language and the word after it, the heading above it, the line where it begins."""

    document: str
    line: int
    language: str
    name: str
    heading: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line} ({self.heading})"


def documents() -> list[Path]:
    """README.md and everything in docs/ but the decision records, which are history."""
    docs = ROOT / "docs"
    return [ROOT / "README.md", *sorted(docs.glob("*.md")), *sorted(docs.glob("recipes/*.md"))]


def shown(path: Path) -> str:
    """The path as the repository names it."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a document in these languages, in order."""
    return [block for block in _blocks(path) if not languages or block.language in languages]


def prose(path: Path) -> str:
    """The document without its fenced blocks."""
    lines, inside = [], False
    for line in path.read_text("utf-8").splitlines():
        fence = _FENCE.match(line) is not None
        if not fence and not inside:
            lines.append(line)
        inside ^= fence
    return "\n".join(lines)


def parse_command(words: Sequence[str]) -> None:
    """Let the command line read these words (after the program's name) without doing anything.

    Raises :class:`click.ClickException` for a command, option or argument that does not exist.
    """
    context = cli.make_context("orchestrator", list(words))
    rest = [*context._protected_args, *context.args]
    name, command, rest = cli.resolve_command(context, rest)
    if command is None:
        raise click.UsageError(f"no command {name!r}")
    command.make_context(name, rest, parent=context)


def our_commands(line: str) -> Iterator[list[str]]:
    """The words of every call of orchestrator in a line of shell, without the program's name."""
    found: list[str] | None = None
    for word in shlex.split(line, comments=True):
        if word.rstrip(";") in _SHELL_ENDS or word in _SHELL_ENDS:
            if found is not None:
                yield found
            found = None
        elif found is not None:
            found.append(word.rstrip(";"))
            if word.endswith(";"):
                yield found
                found = None
        elif word == "orchestrator" or word.endswith("/orchestrator"):
            found = []
    if found is not None:
        yield found


def _blocks(path: Path) -> Iterator[Block]:
    heading, opened, info, text = "", 0, "", list[str]()
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if opened and fence:
            language, _, name = info.partition(" ")
            yield Block(shown(path), opened, language, name.strip(), heading, "\n".join(text) + "\n")
            opened, text = 0, []
        elif opened:
            text.append(line)
        elif fence:
            opened, info = number, fence["info"].strip()
        elif found := _HEADING.match(line):
            heading = found["text"]
    assert not opened, f"{shown(path)}:{opened}: the block has no end"
