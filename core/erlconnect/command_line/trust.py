"""``erlconnect trust``: let a project's file decide, after a look at what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from erlconnect.command_line import options

HELP: Final = """
Trust a project's erlconnect.toml, until it changes.

Until then such a file chooses among your own profiles and names services, and no more: whoever
connects lets the other node run code on this machine.

Examples:

  erlconnect trust

  erlconnect trust ../erlconnect.toml --yes

  erlconnect trust --forget
"""


def trust(
    *,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="Default: the nearest erlconnect.toml.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Trust it no longer.")] = False,
    no_input: options.NoInput = False,
) -> None:
    """Read the choices and do what they mean."""
    from erlconnect.command_line import trusting  # noqa: PLC0415 - --help is quick

    if forget:
        trusting.forget_file(file)
    else:
        trusting.trust_file(file, yes=yes, no_input=no_input)
