"""The documented line for each shell makes it complete commands: in the shell, where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documentation import ROOT

# What is documented, then what the shell offers for `orchestrator ru`: fish tells by itself, the others call
# the function that the line has made known to them, as they do when Tab is pressed.
LINES = {
    "bash": 'eval "$(orchestrator completion bash)"',
    "zsh": 'eval "$(orchestrator completion zsh)"',
    "fish": "mkdir -p ~/.config/fish/completions && "
    "orchestrator completion fish > ~/.config/fish/completions/orchestrator.fish",
}
ASKING = {
    "bash": "complete -p orchestrator; COMP_WORDS=(orchestrator ru); COMP_CWORD=1; _orchestrator_completion "
    'orchestrator; printf "%s\\n" "${COMPREPLY[@]}"',
    "zsh": "print $_comps[orchestrator]; _describe() { print -l -- ${(P)3} }; "
    "words=(orchestrator ru); CURRENT=2; $_comps[orchestrator]",
    "fish": 'complete -C "orchestrator ru"',
}
BEFORE = {"bash": "", "zsh": "autoload -Uz compinit && compinit -D; ", "fish": ""}
PLAIN = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--private"]}


@pytest.mark.parametrize("shell", LINES)
def test_a_shell_completes_by_the_documented_line(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "orchestrator"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orchestrator "$@"\n')
    command.chmod(0o755)
    environ = {**os.environ, "HOME": str(tmp_path), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    environ.pop("XDG_CONFIG_HOME", None)
    script = f"{BEFORE[shell]}{LINES[shell]}\n{ASKING[shell]}"
    done = subprocess.run(
        [shell, *PLAIN[shell], "-c", script], env=environ, capture_output=True, text=True, check=True
    )
    words = {line.split("\t")[0].split(":")[0] for line in done.stdout.splitlines()}
    assert {"run", "runs"} <= words, done.stdout + done.stderr
    assert "show" not in words
    assert LINES[shell] in (ROOT / "docs" / "installation.md").read_text("utf-8")
