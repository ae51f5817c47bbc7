"""``erlconnect run TARGET -- CMD``: a session for one program, which finds its node by itself."""

from __future__ import annotations

import os
import shutil
from typing import Annotated, Final

import typer

from erlconnect.command_line import options
from erlconnect.command_line.flags import Flags, takes_flags
from erlconnect.errors import ConfigurationError

HELP: Final = """
Connect to TARGET for as long as a program runs.

The session has an epmd of its own, and the program has the variables that lead to it. Its exit
code is passed through.

Examples:

  erlconnect run -b dns my-service.internal -- erl_call -name my_service@127.0.0.1 -a 'erlang node'

  erlconnect run -b fixed rabbit@10.3.2.1 --export-cookie -- rabbitmqctl status

  erlconnect run -b fixed app@10.3.2.1 -- sh -c 'iex --name dev@127.0.0.1 --remsh $ERLCONNECT_ALIAS'
"""

Command = Annotated[
    list[str],
    typer.Argument(metavar="-- CMD...", help="The program and its arguments.", show_default=False),
]
ExportCookie = Annotated[
    bool,
    typer.Option(
        "--export-cookie",
        help="Put the local cookie into the program's environment, for those that read it there.",
        rich_help_panel=options.HERE,
    ),
]


@takes_flags(without=("all_targets", "visible"))
def run(
    *,
    target: options.Target,
    command: Command,
    flags: Flags,
    export_cookie: ExportCookie = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and run the program."""
    from erlconnect.command_line.accompanied_command import run_command  # noqa: PLC0415
    from erlconnect.command_line.companion import Talk  # noqa: PLC0415

    if shutil.which(command[0]) is None:
        raise ConfigurationError(
            f"there is no program {command[0]} on the PATH",
            remedy="Check its name; it is run without a shell.",
        )
    talk = Talk(quiet=quiet, verbose=verbose)
    code = run_command(command, target, flags, talk, os.environ, export_cookie=export_cookie)
    raise typer.Exit(code)
