"""``erlconnect shell TARGET``: a shell in the remote node, and nothing else to type."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Final

import typer

from erlconnect.command_line import options
from erlconnect.command_line.flags import Flags, takes_flags
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
        help="The shell to open. Default: iex where it is here and the remote node has the same.",
        show_default=False,
        rich_help_panel=options.HERE,
    ),
]


@takes_flags(without=("all_targets", "visible", "as_name", "local_cookie_file"))
def shell(
    *,
    target: options.Target,
    flags: Flags,
    iex: Iex = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and open the shell."""
    from erlconnect.command_line.accompanied_shell import open_shell  # noqa: PLC0415 - quick help
    from erlconnect.command_line.companion import Talk  # noqa: PLC0415

    _require_terminal()
    talk = Talk(quiet=quiet, verbose=verbose)
    raise typer.Exit(open_shell(target, flags, talk, os.environ, iex=iex))


def _require_terminal() -> None:
    """Refuse pipes: iex and erl would evaluate in the local node then, without a word."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "a shell needs a terminal, and stdin or stdout is none",
            remedy="For a single call use `erlconnect run TARGET -- erl_call ...`.",
        )
