"""`orchestrator completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell: commands, options, runs.

    \b
    bash:  eval "$(orchestrator completion bash)"        in ~/.bashrc
    zsh:   eval "$(orchestrator completion zsh)"         in ~/.zshrc, after compinit
    fish:  orchestrator completion fish > ~/.config/fish/completions/orchestrator.fish
    """
    maker = get_completion_class(shell)
    assert maker is not None  # noqa: S101 - click has all three
    click.echo(maker(context.find_root().command, {}, "orchestrator", "_ORCHESTRATOR_COMPLETE").source())
