"""``erlconnect connect TARGET``: open a session and stay in the foreground."""

from __future__ import annotations

import typer

from erlconnect.command_line import options
from erlconnect.command_line.flags import Flags, takes_flags

HELP = """
Connect to each TARGET and stay in the foreground. This is what happens without a command.

Examples:

  erlconnect -b dns my-service.shop.svc.cluster.local

  erlconnect staging/shop staging/billing

  erlconnect -p production shop --dry-run

  erlconnect -b fixed app@10.3.2.1 --via 'ssh -W %h:%p bastion' --cookie-from file:app.cookie
"""


@takes_flags()
def connect(
    *,
    target: options.Targets,
    flags: Flags,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and serve the session they mean."""
    from erlconnect.command_line.serving import serve  # noqa: PLC0415

    if dry_run:
        from erlconnect.command_line.dry_run import show_plans  # noqa: PLC0415
        from erlconnect.command_line.looking import Voice  # noqa: PLC0415

        show_plans(target, flags, Voice(as_json=json, quiet=quiet, verbose=verbose))
        return
    raise typer.Exit(serve(target, flags, as_json=json, quiet=quiet, verbose=verbose))
