"""``erlconnect connect TARGET``: open a session and stay in the foreground."""

from __future__ import annotations

import os
import sys

import typer

from erlconnect.command_line import options
from erlconnect.errors import InterruptedByUserError, UsageError

HELP = "Connect to TARGET and stay in the foreground. This is what happens without a command."


def connect(
    *,
    target: options.Target,
    backend: options.Backend = None,
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
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices and serve the session they mean."""
    from erlconnect.command_line import names  # noqa: PLC0415 - --help is quick
    from erlconnect.command_line.serving import serve  # noqa: PLC0415
    from erlconnect.configuration.options import parse_options  # noqa: PLC0415
    from erlconnect.session.choices import Choices  # noqa: PLC0415

    if visible:
        _confirm_visible(no_input=no_input)
    choices = Choices(
        service=target,
        backend=_named(backend),
        options=parse_options(
            [*(option or []), *_command_option(via, transport)], environment=os.environ
        ),
        node=node,
        all_targets=every,
        cookie_from=cookie_from,
        transport="command" if via else transport,
        caller_name=names.caller_name(caller_name),
        visible=visible,
        no_input=no_input,
        as_name=names.alias_name(as_name),
        local_cookie_file=local_cookie_file,
    )
    raise typer.Exit(serve([choices], config, as_json=json, quiet=quiet, verbose=verbose))


def _named(backend: str | None) -> str:
    if backend is None:
        raise UsageError(
            "no backend was named, so nothing says where to look",
            remedy="Name one with `-b`; `erlconnect plugins` lists them.",
        )
    return backend


def _command_option(via: str | None, transport: str | None) -> list[str]:
    """Give ``--via`` as the setting that it is short for."""
    if via is None:
        return []
    if transport not in (None, "command"):
        raise UsageError(
            f"--via is short for the transport command, and --transport names {transport}",
            remedy="Leave one of them out.",
        )
    return [f"transport.command={via}"]


def _confirm_visible(*, no_input: bool) -> None:
    """Ask before a local node becomes a visible member of the remote cluster."""
    if no_input or not sys.stdin.isatty():
        raise UsageError(
            "--visible asks for confirmation, and nobody can be asked here",
            remedy="Leave --visible out: hidden nodes can call, trace and observe all the same.",
        )
    try:
        sure = typer.confirm(
            "A visible local node joins the remote cluster: `global` of OTP 25 and later may then "
            "disconnect production nodes from each other. Go on?",
            err=True,
        )
    except typer.Abort:
        sure = False
    if not sure:
        raise InterruptedByUserError("stopped before anything was opened", remedy="")
