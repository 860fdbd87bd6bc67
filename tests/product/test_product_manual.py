"""The manual page: all that the help says, in roff that its readers take without a word."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from orchestrator import cli
from orchestrator.cli.manpage import man_page
from orchestrator.errors import Exit
from orchestrator.settings import SETTINGS

ODD = r""".begins 'with -a --dash \n backslash ~tilde ^caret `grave` "quoted" <angle> %s é → {x} [y]"""


@pytest.fixture(scope="module")
def page() -> str:
    return man_page(cli.cli, "1.2.3", "2026-11-27")


def plain(roff: str) -> str:
    """The page without its requests, in one line."""
    roff = re.sub(r"^\.(?!B |SS |SH )[^\n]*$", "", roff, flags=re.MULTILINE)
    roff = re.sub(r"\\f[BR]|\\&", "", roff).replace(r"\-", "-").replace(r"\e", "\\")
    for sign, one in {"ti": "~", "ha": "^", "ga": "`", "aq": "'", "dq": '"'}.items():
        roff = roff.replace(rf"\({sign}", one)
    return " ".join(roff.split())


def commands() -> list[click.Context]:
    found: list[click.Context] = []

    def walk(context: click.Context) -> None:
        group = context.command
        assert isinstance(group, click.Group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            inner = click.Context(command, info_name=name, parent=context)
            if isinstance(command, click.Group):
                walk(inner)
            else:
                found.append(inner)

    walk(click.Context(cli.cli, info_name="orchestrator", **cli.cli.context_settings))
    return found


def test_it_has_every_command_with_every_option_and_all_of_its_help(page: str) -> None:
    told = plain(page)
    for context in commands():
        section = told.partition(f'.SS "{context.command_path}"')[2].partition(".SS ")[0]
        assert section, context.command_path
        assert " ".join((context.command.help or "").replace("\b", "").split()) in section
        for option in context.command.params:
            record = option.get_help_record(context) if isinstance(option, click.Option) else None
            if record is not None:
                assert " ".join(" ".join(record).split()) in section, f"{context.command_path} {record[0]}"


def test_it_has_every_variable_and_every_exit_code(page: str) -> None:
    told = plain(page)
    environment = told.partition(".SH ENVIRONMENT")[2].partition(".SH ")[0].split()
    assert {name for one in SETTINGS for name in one.variables} <= set(environment)
    status = told.partition(".SH EXIT STATUS")[2]
    assert {int(one) for one in re.findall(r"\b\d+\b", status)} == set(map(int, Exit))


def test_hidden_options_are_not_in_it(page: str) -> None:
    assert page.count(r"\-\-profile NAME") == 1


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_warns_of_nothing_and_shows_odd_text_as_it_is(page: str, tmp_path: Path) -> None:
    @click.group(name="odd", epilog="Exit codes: 0 good.")
    def odd() -> None:
        """Is odd.

        \b
        .as it is \\ 'so'
        """

    odd.params.append(click.Option(["--odd"], help=ODD))
    for name, text in (("whole", page), ("odd", man_page(odd, "1", "2026-11-27"))):
        (tmp_path / name).write_text(text)
        done = subprocess.run(
            ["groff", "-ww", "-mandoc", "-Tutf8", "-rLL=300n", str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": "/usr/bin:/bin", "GROFF_NO_SGR": "1"},
        )
        assert done.stderr == ""
    shown = re.sub(r".\x08", "", done.stdout)
    assert ODD in shown
    assert r".as it is \ 'so'" in shown


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
def test_mandoc_finds_nothing_to_complain_of(page: str, tmp_path: Path) -> None:
    (tmp_path / "orchestrator.1").write_text(page)
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wstyle", str(tmp_path / "orchestrator.1")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0)
