"""``erlconnect status``: this user's running sessions and their links."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from erlconnect.command_line import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.command_line.live_view import Throughput

STATUS_HELP: Final = """
Show your running sessions: aliases, links, bytes, rates and rewritten names.

Examples:

  erlconnect status

  erlconnect status --watch

  erlconnect status --json
"""
# Long enough to tell a rate, short enough not to be waited for.
_LOOK_SECONDS: Final = 0.25
_WATCH_SECONDS: Final = 1.0
# Nothing is cut off where nobody looks.
_PIPE_WIDTH: Final = 1000
Watch = Annotated[
    bool,
    typer.Option(
        "--watch", "-w", help="Go on until Ctrl-C, once a second.", rich_help_panel=options.TALK
    ),
]


def status(*, watch: Watch = False, as_json: options.Json = False) -> None:
    """Ask the sessions, and show what they tell."""
    from erlconnect.command_line.live_view import Throughput  # noqa: PLC0415 - --help is quick

    rates = Throughput()
    if _look(rates) or watch:
        time.sleep(_LOOK_SECONDS)
    if not watch:
        _show(_look(rates, tell=True), as_json=as_json)
        return
    try:
        _watch(rates, as_json=as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _look(rates: Throughput, *, tell: bool = False) -> Sequence[dict[str, Any]]:
    from erlconnect.session.status_socket import running_sessions  # noqa: PLC0415 - --help is quick

    running = running_sessions(os.environ)
    for pid in running.silent if tell else ():
        typer.echo(f"note: the session with pid {pid} does not answer", err=True)
    return [rates.add(session) for session in running.sessions]


def _watch(rates: Throughput, *, as_json: bool) -> None:
    if as_json or not sys.stdout.isatty():
        while True:
            _show(_look(rates), as_json=as_json)
            time.sleep(_WATCH_SECONDS)
    from rich.live import Live  # noqa: PLC0415 - only here

    with Live(
        _view(_look(rates)), auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    ) as live:
        while True:
            time.sleep(_WATCH_SECONDS)
            live.update(_view(_look(rates)), refresh=True)


def _show(sessions: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        from erlconnect.command_line.output import print_line  # noqa: PLC0415 - pydantic

        for session in sessions:
            print_line(session)
    elif sessions:
        from rich.console import Console  # noqa: PLC0415 - not needed with --json

        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        Console(highlight=False, width=width).print(_view(sessions))
    else:
        typer.echo("no session is running", err=True)


def _view(sessions: Sequence[dict[str, Any]]) -> Any:
    from rich.console import Group  # noqa: PLC0415 - not needed with --json

    from erlconnect.command_line.status_table import session_view  # noqa: PLC0415

    return Group(*(session_view(session) for session in sessions)) if sessions else "no session"
