"""``erlconnect status``: the running sessions of this user, with their aliases and links.

``live_view`` draws the same tables while a session is served.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from erlconnect.command_line.output import plain, print_line
from erlconnect.session.status_socket import running_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

# Long enough to measure a rate, short enough that nobody notices.
_SAMPLE_SECONDS: Final = 0.25
_WATCH_SECONDS: Final = 1.0
# In a pipe nothing is cut off at the width of a terminal.
_PIPE_WIDTH: Final = 1000
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_STEP: Final = 1000
_TIMES: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_HEADS: Final = ("local node", "for", "in", "out", "in/s", "out/s", "rewritten")
_COUNTED: Final = ("bytes_in", "bytes_out")


def show_status(*, watch: bool, as_json: bool) -> None:
    """Print the status of all sessions; with ``watch`` once a second until Ctrl-C.

    Raises ``typer.Exit`` with 130 after Ctrl-C.
    """
    throughput = Throughput()
    # A rate needs two samples; without a session there is none to wait for.
    if _statuses(throughput) or watch:
        time.sleep(_SAMPLE_SECONDS)
    if not watch:
        _show(_statuses(throughput, warn=True), as_json=as_json)
        return
    try:
        _watch(throughput, as_json=as_json)
    except KeyboardInterrupt:
        # As shells report SIGINT.
        raise typer.Exit(130) from None


class Throughput:
    """Adds ``bytes_in_per_second`` and ``bytes_out_per_second`` to the links of a status."""

    def __init__(self) -> None:
        self._before: dict[object, tuple[float, dict[str, int]]] = {}

    def add(self, session: dict[str, Any]) -> dict[str, Any]:
        """Return the status with the rates since the last call; 0 for a link that is new."""
        aliases = [
            {**alias, "links": [self._with_rates(session, alias, link) for link in alias["links"]]}
            for alias in session["aliases"]
        ]
        return {**session, "aliases": aliases}

    def _with_rates(
        self, session: dict[str, Any], alias: dict[str, Any], link: dict[str, Any]
    ) -> dict[str, Any]:
        # A node that connects again begins a new link, and counts from 0.
        key = (session["pid"], alias["alias"], link["local_node"], link["since"])
        now = time.monotonic()
        counted = {name: link[name] for name in _COUNTED}
        then, before = self._before.get(key, (now, counted))
        self._before[key] = (now, counted)
        # Two calls may see the same clock.
        seconds = max(now - then, 0.001)
        rates = {
            f"{name}_per_second": round((counted[name] - before[name]) / seconds)
            for name in _COUNTED
        }
        return {**link, **rates}


def session_view(session: dict[str, Any]) -> RenderableType:
    """Return one session, as ``erlconnect status`` shows it."""
    targets = ", ".join(session["targets"])
    head = f"{targets}: pid {session['pid']}, for {_since(session['since'])}"
    if not session["aliases"]:
        head += ", still opening"
    return Group(_line(head), *(_indented(one) for one in alias_views(session)))


def alias_views(session: dict[str, Any]) -> Iterator[RenderableType]:
    """Return each alias with its links, as they are shown live below what ``connect`` printed."""
    for alias in session["aliases"]:
        where = f"{alias['node']} at {alias['address']}:{alias['dist_port']}"
        yield _line(f"{alias['alias']} is {where}")
        if alias["links"]:
            yield _indented(_links(alias["links"]))
        else:
            yield _line("  no links")


def _links(links: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    refused = any(link["refused"] for link in links)
    for number, head in enumerate((*_HEADS, "refused") if refused else _HEADS):
        table.add_column(head, justify="right" if number else "left", no_wrap=True)
    for link in links:
        table.add_row(
            plain(link["local_node"], sys.stdout),
            _since(link["since"]),
            size(link["bytes_in"]),
            size(link["bytes_out"]),
            size(link["bytes_in_per_second"]),
            size(link["bytes_out_per_second"]),
            f"{link['rewritten']:,}",
            *([f"{link['refused']:,}"] if refused else []),
        )
    return table


def _indented(view: RenderableType) -> Padding:
    return Padding(view, (0, 0, 0, 2), expand=False)


def _line(text: str) -> Text:
    return Text(plain(text, sys.stdout), no_wrap=True, overflow="ellipsis")


def size(number: float) -> str:
    """Return a number of bytes with its unit: ``1.2 MB``."""
    unit = 0
    while number >= _STEP and unit < len(_UNITS) - 1:
        number /= _STEP
        unit += 1
    return f"{number:.0f} B" if unit == 0 else f"{number:.1f} {_UNITS[unit]}"


def _since(moment: str) -> str:
    seconds = int((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    # The clock may have been set back since.
    return duration(max(seconds, 0))


def duration(seconds: int) -> str:
    """Return a time with its unit, rounded down: ``12 min``."""
    factor, unit = next((one for one in _TIMES if seconds >= one[0]), (1, "s"))
    return f"{seconds // factor} {unit}"


def _statuses(throughput: Throughput, *, warn: bool = False) -> Sequence[dict[str, Any]]:
    running = running_sessions(os.environ)
    # With ``watch`` the note would come every second.
    for pid in running.silent if warn else ():
        typer.echo(f"note: the session with pid {pid} does not answer", err=True)
    return [throughput.add(session) for session in running.sessions]


def _watch(throughput: Throughput, *, as_json: bool) -> None:
    if as_json or not sys.stdout.isatty():
        while True:
            _show(_statuses(throughput), as_json=as_json)
            time.sleep(_WATCH_SECONDS)
    with Live(
        _view(_statuses(throughput)),
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as live:
        while True:
            time.sleep(_WATCH_SECONDS)
            live.update(_view(_statuses(throughput)), refresh=True)


def _show(sessions: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for session in sessions:
            print_line(session)
    elif sessions:
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        Console(highlight=False, width=width).print(_view(sessions))
    else:
        typer.echo("no session is running", err=True)


def _view(sessions: Sequence[dict[str, Any]]) -> RenderableType:
    return Group(*(session_view(session) for session in sessions)) if sessions else "no session"
