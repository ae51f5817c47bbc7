"""``erlconnect shell TARGET``: a shell in the remote node, and nothing else to type."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Final

import typer

from erlconnect.command_line import options
from erlconnect.errors import UsageError

HELP: Final = """
Open a shell in the remote node: iex where it has Elixir, else erl.

The session has an epmd, a cookie and a node name of its own, and ends with the shell.

Examples:

  erlconnect shell -b dns my-service.shop.svc.cluster.local

  erlconnect shell -b consul shop --cookie-from consul-kv:erlang/cookie

  erlconnect shell -b fixed app@10.3.2.1 --cookie-from env:APP_COOKIE --erl
"""

Iex = Annotated[
    bool | None,
    typer.Option(
        "--iex/--erl",
        help="The shell to open. Default: iex where it is installed and the remote node has it.",
        show_default=False,
        rich_help_panel=options.HERE,
    ),
]


def shell(
    *,
    target: options.Target,
    backend: options.Backend = None,
    profile: options.Profile = None,
    option: options.Setting = None,
    node: options.Node = None,
    cookie_from: options.CookieFrom = None,
    transport: options.Transport = None,
    via: options.Via = None,
    caller_name: options.CallerName = None,
    iex: Iex = None,
    config: options.ConfigFile = None,
    no_input: options.NoInput = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and open the shell."""
    from erlconnect.command_line.accompanied_shell import open_shell  # noqa: PLC0415 - quick help
    from erlconnect.command_line.choosing import Flags  # noqa: PLC0415
    from erlconnect.command_line.companion import Talk  # noqa: PLC0415

    _require_terminal()
    flags = Flags(
        backend=backend,
        profile=profile,
        option=option or (),
        node=node,
        cookie_from=cookie_from,
        transport=transport,
        via=via,
        caller_name=caller_name,
        config=config,
        no_input=no_input,
    )
    talk = Talk(quiet=quiet, verbose=verbose)
    raise typer.Exit(open_shell(target, flags, talk, os.environ, iex=iex))


def _require_terminal() -> None:
    """Refuse pipes: iex and erl would evaluate in the local node then, without a word."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "a shell needs a terminal, and stdin or stdout is none",
            remedy="For a single call use `erlconnect run TARGET -- erl_call ...`.",
        )
