"""``erlconnect doctor [TARGET]``: each step on the way, with what was seen and what to do."""

from __future__ import annotations

import typer

from erlconnect.command_line import options
from erlconnect.command_line.flags import Flags, takes_flags

HELP = """
Look at each step on the way to TARGET and at this machine: what was seen, and what to do.

Without TARGET it looks at this machine alone. Its connection is hidden over there and leaves
nothing behind.

Examples:

  erlconnect doctor

  erlconnect doctor -b dns shop.internal --cookie-from file:shop.cookie

  erlconnect doctor -b consul shop --role
"""


@takes_flags(without=("all_targets", "visible"))
def doctor(
    *,
    target: options.OptionalTarget = None,
    flags: Flags,
    role: options.Role = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and examine what they mean."""
    from erlconnect.command_line.examining import diagnose, print_role  # noqa: PLC0415

    if role:
        print_role(target, flags, as_json=json)
        return
    raise typer.Exit(diagnose(target, flags, as_json=json, quiet=quiet, verbose=verbose))
