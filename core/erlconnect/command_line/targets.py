"""``erlconnect targets TARGET``: what discovery finds, and which of it answers."""

from __future__ import annotations

from erlconnect.command_line import options
from erlconnect.command_line.flags import Flags, takes_flags

HELP = """
List what the backend finds for TARGET, and what a knock at each tells: its real name, its port,
its Erlang release. It needs no cookie and no Erlang on this machine.

Examples:

  erlconnect targets -b dns _epmd._tcp.shop.internal

  erlconnect targets -b consul shop --json
"""


@takes_flags(without=("all_targets", "cookie_from", "visible", "as_name", "local_cookie_file"))
def targets(
    *,
    target: options.Target,
    flags: Flags,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and list what they mean."""
    from erlconnect.command_line.listing import list_targets  # noqa: PLC0415
    from erlconnect.command_line.looking import Voice  # noqa: PLC0415

    list_targets(target, flags, Voice(as_json=json, quiet=quiet, verbose=verbose))
