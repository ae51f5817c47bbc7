"""``erlconnect run TARGET -- CMD``: a session for one program, which finds its node by itself."""

from __future__ import annotations

import os
import shutil
from typing import Annotated, Final

import typer

from erlconnect.command_line import options
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


def run(
    *,
    target: options.Target,
    command: Command,
    backend: options.Backend = None,
    profile: options.Profile = None,
    option: options.Setting = None,
    node: options.Node = None,
    cookie_from: options.CookieFrom = None,
    transport: options.Transport = None,
    via: options.Via = None,
    caller_name: options.CallerName = None,
    as_name: options.AsName = None,
    local_cookie_file: options.LocalCookieFile = None,
    export_cookie: ExportCookie = False,
    config: options.ConfigFile = None,
    no_input: options.NoInput = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and run the program."""
    from erlconnect.command_line.accompanied_command import run_command  # noqa: PLC0415
    from erlconnect.command_line.choosing import Flags  # noqa: PLC0415 - --help is quick
    from erlconnect.command_line.companion import Talk  # noqa: PLC0415

    if shutil.which(command[0]) is None:
        raise ConfigurationError(
            f"there is no program {command[0]} on the PATH",
            remedy="Check its name; it is run without a shell.",
        )
    flags = Flags(
        backend=backend,
        profile=profile,
        option=option or (),
        node=node,
        cookie_from=cookie_from,
        transport=transport,
        via=via,
        caller_name=caller_name,
        as_name=as_name,
        local_cookie_file=local_cookie_file,
        config=config,
        no_input=no_input,
    )
    talk = Talk(quiet=quiet, verbose=verbose)
    code = run_command(command, target, flags, talk, os.environ, export_cookie=export_cookie)
    raise typer.Exit(code)
