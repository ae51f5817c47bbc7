"""``erlconnect targets TARGET``: what discovery finds, and which of it answers."""

from __future__ import annotations

from erlconnect.command_line import options

HELP = """
List what the backend finds for TARGET, and what a knock at each tells: its real name, its port,
its Erlang release. It needs no cookie and no Erlang on this machine.

Examples:

  erlconnect targets -b dns _epmd._tcp.shop.internal

  erlconnect targets -b consul shop --json
"""


def targets(
    *,
    target: options.Target,
    backend: options.Backend = None,
    profile: options.Profile = None,
    option: options.Setting = None,
    node: options.Node = None,
    transport: options.Transport = None,
    via: options.Via = None,
    caller_name: options.CallerName = None,
    config: options.ConfigFile = None,
    no_input: options.NoInput = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and list what they mean."""
    from erlconnect.command_line.choosing import Flags  # noqa: PLC0415 - --help is quick
    from erlconnect.command_line.listing import list_targets  # noqa: PLC0415
    from erlconnect.command_line.looking import Voice  # noqa: PLC0415

    flags = Flags(
        backend=backend,
        profile=profile,
        option=option or (),
        node=node,
        transport=transport,
        via=via,
        caller_name=caller_name,
        config=config,
        no_input=no_input,
    )
    list_targets(target, flags, Voice(as_json=json, quiet=quiet, verbose=verbose))
