"""Every command in README.md and docs/ exists, and those that can be run here are run, in their order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click
import pytest
from documentation import ROOT, Block, blocks, documents, our_commands, parse_command, prose, shown
from workplace import Workplace, serving

# Not run here, each with its reason.
NOT_RUN = {
    "python3 -m venv": "makes an environment; the continuous integration does so before it comes here",
    ".venv/bin/pip install": "installs; the same",
    ".venv/bin/python -m pytest": "runs these tests",
    ".ci/run": "runs these tests",
    ".venv/bin/python tests/benchmark/benchmark.py": "takes long; its quick form is a test of its own",
    ".venv/bin/python tests/campaign/campaign.py": "takes long; its short form is a test of its own",
    "orchestrator mcp": "speaks with a client until that leaves; tests of its own are one",
    "orchestrator serve": "serves until it is ended; tests of its own start it",
    "export ": "the token and the rest of the environment are set already",
}
# In an incident something is wrong, so expectations may fail; a run that reports it is what is wanted.
INCIDENT = "In a runbook"
WITH_SHELL = [path for path in documents() if blocks(path, "sh")]


def pieces(block: Block) -> Iterator[tuple[int, str]]:
    """The commands of a block with their lines; what is joined by && is taken apart."""
    for offset, line in enumerate(block.text.splitlines(), 1):
        for piece in line.split(" && "):
            if piece.strip() and not piece.lstrip().startswith("#"):
                yield block.line + offset, piece.strip()


def reason_not_run(piece: str) -> str | None:
    return next((reason for start, reason in NOT_RUN.items() if piece.startswith(start)), None)


# Its commands need a database and workers: `test_docs_many_hosts` runs them.
WITH_A_TEST_OF_ITS_OWN = {"many-hosts.md"}


@pytest.mark.parametrize(
    "path", [path for path in WITH_SHELL if path.name not in WITH_A_TEST_OF_ITS_OWN], ids=shown
)
def test_the_commands_of_a_document_work_in_their_order(
    path: Path, simulated_api: str, workplace_at: Callable[[str], Workplace], tmp_path: Path
) -> None:
    ran = 0
    if path.name != "README.md":
        # Whoever reads docs/ has tried the README.
        tried = workplace_at(simulated_api).sh("orchestrator run -q --simulate plans/incident-runbook.yaml")
        assert tried.returncode == 0, tried.stderr
    with ExitStack() as stack:
        for block in blocks(path, "sh"):
            place = workplace_at(simulated_api)
            incident = block.heading == INCIDENT
            if incident:
                scenario = tmp_path / "trouble.yaml"
                scenario.write_text("error_rate: 0.3\n")
                place = workplace_at(stack.enter_context(serving("--scenario", str(scenario))))
            for line, piece in pieces(block):
                if reason_not_run(piece) is not None:
                    continue
                done = place.sh(piece)
                output = f"{path.name}:{line}: {piece}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
                judged = re.search(r"orchestrator (run|rerun|diagnose) ", piece) is not None
                assert done.returncode in ({0, 1} if incident and judged else {0}), output
                assert "Traceback" not in done.stderr, output
                assert "defect:" not in done.stderr, output
                ran += 1
    assert ran > 0, "nothing of this document could be run"


def test_an_incident_has_something_to_run_again(
    workplace_at: Callable[[str], Workplace], tmp_path: Path
) -> None:
    """Otherwise the test above would take a runbook without trouble for one that works."""
    scenario = tmp_path / "trouble.yaml"
    scenario.write_text("error_rate: 0.3\n")
    with serving("--scenario", str(scenario)) as origin:
        done = workplace_at(origin).sh("orchestrator run -q plans/incident-runbook.yaml")
    assert done.returncode == 1, done.stderr


@pytest.mark.parametrize("path", WITH_SHELL, ids=shown)
def test_what_is_not_run_names_files_that_exist(path: Path) -> None:
    missing = []
    for block in blocks(path, "sh"):
        for line, piece in pieces(block):
            for word in re.findall(r"[\w./-]+", piece.split("#")[0]):
                inside = word.startswith(("tests/", "plans/", ".ci/", "requirements"))
                if inside and not (ROOT / word).exists():
                    missing.append(f"{path.name}:{line}: {word}")
    assert not missing, "\n".join(missing)


def test_every_reason_not_to_run_a_command_is_still_needed() -> None:
    every = [piece for path in WITH_SHELL for block in blocks(path, "sh") for _, piece in pieces(block)]
    unused = [start for start in NOT_RUN if not any(piece.startswith(start) for piece in every)]
    assert not unused


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_commands_in_crontabs_units_and_sentences_exist(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is called orchestrator in a document is understood by the command line, option by option."""
    profiles = tmp_path / "orchestrator.toml"
    profiles.write_text('[profiles.acme]\naid = "77"\n')  # as in docs/configuration.md
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(profiles))
    wrong = []
    for place, line in mentioned(path):
        for words in our_commands(line):
            try:
                parse_command(words)
            except click.MissingParameter:
                continue  # a sentence may name a command without its arguments; blocks are run or written out
            except click.exceptions.Exit:
                continue  # `--help`
            except click.ClickException as error:
                wrong.append(f"{place}: {line.strip()}: {error.format_message()}")
    assert not wrong, "\n".join(wrong)


def mentioned(path: Path) -> Iterator[tuple[str, str]]:
    """Lines of shell in blocks of any kind, and inline code that begins with the program's name."""
    for block in blocks(path, "sh", "cron", "console"):
        for line in block.text.splitlines():
            prompt = re.sub(r"^[#$] ", "", line) if block.language == "console" else line
            words = prompt.split(maxsplit=5)
            # A crontab's line begins with five fields of time, or with one such as @reboot.
            if block.language == "cron" and "orchestrator" in prompt:
                prompt = prompt.split(maxsplit=1)[1] if prompt.startswith("@") else words[5]
            if "orchestrator" in prompt and not prompt.startswith(("docker ", "MAILTO=")):
                yield str(block), prompt
    for block in blocks(path, "systemd"):
        for line in block.text.splitlines():
            if line.startswith("ExecStart="):
                yield str(block), line.removeprefix("ExecStart=")
    for code in re.findall(r"`(orchestrator [^`]+)`", prose(path)):
        yield shown(path), code


def test_the_command_line_is_found_wherever_a_document_may_call_it() -> None:
    """The test above is worth something: it sees commands, and sees when one does not exist."""
    seen = [words for path in documents() for _, line in mentioned(path) for words in our_commands(line)]
    assert len(seen) > 30
    with pytest.raises(click.ClickException):
        parse_command(["run", "--no-such-option", "plan.yaml"])
    with pytest.raises(click.ClickException):
        parse_command(["fly"])
    assert list(
        our_commands("17 5 * * * cd /x; /opt/bin/orchestrator run a.yaml || orchestrator report last")
    ) == [
        ["run", "a.yaml"],
        ["report", "last"],
    ]
