"""``erlconnect ping TARGET``: the handshake alone, with its times."""

from __future__ import annotations

from erlconnect.command_line import options
from erlconnect.command_line.flags import Flags, takes_flags

HELP = """
Shake hands with TARGET and leave: how long each phase took. It needs no Erlang on this machine.

With a cookie it is the whole handshake, in which both sides prove it; without one it ends where
the remote node has said its name. Either way the node sees nobody but a hidden visitor.

Examples:

  erlconnect ping -b fixed app@10.3.2.1 --cookie-from env:APP_COOKIE

  erlconnect ping -b dns shop.internal --json
"""


@takes_flags(without=("all_targets", "visible", "as_name", "local_cookie_file"))
def ping(
    *,
    target: options.Target,
    flags: Flags,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and ping what they mean."""
    from erlconnect.command_line.looking import Voice  # noqa: PLC0415
    from erlconnect.command_line.pinging import ping_once  # noqa: PLC0415

    ping_once(target, flags, Voice(as_json=json, quiet=quiet, verbose=verbose))
