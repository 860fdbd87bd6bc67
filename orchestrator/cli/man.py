"""`orchestrator man`."""

from __future__ import annotations

import click


@click.command()
@click.pass_context
def man(context: click.Context) -> None:
    """Print the manual page, made of the help of all commands.

    \b
    orchestrator man > ~/.local/share/man/man1/orchestrator.1
    """
    from importlib.metadata import version  # noqa: PLC0415 - start-up stays light

    from orchestrator.cli.manpage import man_page  # noqa: PLC0415 - as above

    root = context.find_root().command
    assert isinstance(root, click.Group)  # noqa: S101 - it has commands
    click.echo(man_page(root, version("orchestrator")), nl=False)
