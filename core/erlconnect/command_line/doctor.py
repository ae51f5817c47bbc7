"""``erlconnect doctor [TARGET]``: each step on the way, with what was seen and what to do."""

from __future__ import annotations

import typer

from erlconnect.command_line import options

HELP = """
Look at each step on the way to TARGET and at this machine: what was seen, and what to do.

Without TARGET it looks at this machine alone. Its connection is hidden over there and leaves
nothing behind.

Examples:

  erlconnect doctor

  erlconnect doctor -b dns shop.internal --cookie-from file:shop.cookie

  erlconnect doctor -b consul shop --role
"""


def doctor(
    *,
    target: options.OptionalTarget = None,
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
    role: options.Role = False,
    config: options.ConfigFile = None,
    no_input: options.NoInput = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and examine what they mean."""
    from erlconnect.command_line.choosing import Flags  # noqa: PLC0415 - --help is quick
    from erlconnect.command_line.examining import diagnose, print_role  # noqa: PLC0415

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
    if role:
        print_role(target, flags, as_json=json)
        return
    raise typer.Exit(diagnose(target, flags, as_json=json, quiet=quiet, verbose=verbose))
