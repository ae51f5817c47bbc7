"""``erlconnect ping TARGET``: the handshake alone, with its times."""

from __future__ import annotations

from erlconnect.command_line import options

HELP = """
Shake hands with TARGET and leave: how long each phase took. It needs no Erlang on this machine.

With a cookie it is the whole handshake, in which both sides prove it; without one it ends where
the remote node has said its name. Either way the node sees nobody but a hidden visitor.

Examples:

  erlconnect ping -b fixed app@10.3.2.1 --cookie-from env:APP_COOKIE

  erlconnect ping -b dns shop.internal --json
"""


def ping(
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
    config: options.ConfigFile = None,
    no_input: options.NoInput = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and ping what they mean."""
    from erlconnect.command_line.choosing import Flags  # noqa: PLC0415 - --help is quick
    from erlconnect.command_line.looking import Voice  # noqa: PLC0415
    from erlconnect.command_line.pinging import ping_once  # noqa: PLC0415

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
    ping_once(target, flags, Voice(as_json=json, quiet=quiet, verbose=verbose))
