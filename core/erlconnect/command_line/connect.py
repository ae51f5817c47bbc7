"""``erlconnect connect TARGET``: open a session and stay in the foreground."""

from __future__ import annotations

import typer

from erlconnect.command_line import options

HELP = """
Connect to each TARGET and stay in the foreground. This is what happens without a command.

Examples:

  erlconnect -b dns my-service.shop.svc.cluster.local

  erlconnect staging/shop staging/billing

  erlconnect -p production shop --dry-run

  erlconnect -b fixed app@10.3.2.1 --via 'ssh -W %h:%p bastion' --cookie-from file:app.cookie
"""


def connect(
    *,
    target: options.Targets,
    backend: options.Backend = None,
    profile: options.Profile = None,
    option: options.Setting = None,
    node: options.Node = None,
    every: options.All = False,
    cookie_from: options.CookieFrom = None,
    transport: options.Transport = None,
    via: options.Via = None,
    caller_name: options.CallerName = None,
    visible: options.Visible = False,
    as_name: options.AsName = None,
    local_cookie_file: options.LocalCookieFile = None,
    config: options.ConfigFile = None,
    no_input: options.NoInput = False,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and serve the session they mean."""
    from erlconnect.command_line.choosing import Flags  # noqa: PLC0415 - --help is quick
    from erlconnect.command_line.serving import serve  # noqa: PLC0415

    flags = Flags(
        backend=backend,
        profile=profile,
        option=option or (),
        node=node,
        all_targets=every,
        cookie_from=cookie_from,
        transport=transport,
        via=via,
        caller_name=caller_name,
        visible=visible,
        as_name=as_name,
        local_cookie_file=local_cookie_file,
        config=config,
        no_input=no_input,
    )
    if dry_run:
        from erlconnect.command_line.dry_run import show_plans  # noqa: PLC0415
        from erlconnect.command_line.looking import Voice  # noqa: PLC0415

        show_plans(target, flags, Voice(as_json=json, quiet=quiet, verbose=verbose))
        return
    raise typer.Exit(serve(target, flags, as_json=json, quiet=quiet, verbose=verbose))
