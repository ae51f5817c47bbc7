"""A session's status for people: a line for each alias, a table of its links."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from erlconnect.command_line.output import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_STEP: Final = 1000
_TIMES: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_HEADS: Final = ("local node", "for", "in", "out", "in/s", "out/s", "rewritten")


def session_view(session: dict[str, Any]) -> RenderableType:
    """Return the whole of one session, as ``erlconnect status`` shows it."""
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
    return duration(max(seconds, 0))


def duration(seconds: int) -> str:
    """Return a time with its unit, rounded down: ``12 min``."""
    factor, unit = next((one for one in _TIMES if seconds >= one[0]), (1, "s"))
    return f"{seconds // factor} {unit}"
