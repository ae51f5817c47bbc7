"""The links of a session on a terminal, drawn anew each second below the lines that are told.

A thread of its own draws and writes, and nothing else does: a terminal that was stopped by Ctrl-S
holds up this thread, and no node and no signal.

Having a session's links drawn on the terminal while it is served in the foreground.

How fast links are just now: what was counted between two looks at a session.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from erlconnect.command_line.status_table import alias_views
from erlconnect.session.events import status_payload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlconnect.command_line.output import HumanReporter
    from erlconnect.session.session import Session

_MOST_LINES: Final = 1000
_END_SECONDS: Final = 1.0


def can_be_live(console: Console) -> bool:
    """Return whether ``console`` is a terminal on which lines can be drawn over."""
    return console.is_terminal and not console.is_dumb_terminal


class LiveView(threading.Thread):
    """Started, it draws until ``stop``; of what it was told too fast, the latest is drawn."""

    def __init__(self) -> None:
        super().__init__(name="erlconnect live view", daemon=True)
        self._changed = threading.Condition()
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._session: dict[str, Any] | None = None
        self._stopping = False

    def write(self, line: str) -> None:
        """Have a line shown above the links."""
        with self._changed:
            self._lines.append(line)
            self._changed.notify()

    def show(self, session: dict[str, Any]) -> None:
        """Have the links of a status drawn."""
        with self._changed:
            self._session = session
            self._changed.notify()

    def stop(self) -> None:
        """Take the links from the terminal; the lines stay."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self.join(_END_SECONDS)

    def run(self) -> None:
        """Draw. A terminal that goes away ends it."""
        # Python's own stderr is flushed at the end, and would wait for a terminal that is stopped.
        with open(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding) as terminal:  # noqa: PTH123 - a descriptor
            console = Console(file=terminal, highlight=False)
            try:
                self._draw(console)
            except OSError:
                return

    def _draw(self, console: Console) -> None:
        with Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live:
            stopping = False
            while not stopping:
                lines, session, stopping = self._take()
                for line in lines:
                    console.print(Text(line), soft_wrap=True)
                if session:
                    live.update(Group(*alias_views(session)), refresh=True)

    def _take(self) -> tuple[Sequence[str], dict[str, Any] | None, bool]:
        """Wait for something to do."""
        with self._changed:
            while not (self._lines or self._session or self._stopping):
                self._changed.wait()
            lines, session = list(self._lines), self._session
            self._lines.clear()
            self._session = None
            return lines, session, self._stopping


_COUNTED: Final = ("bytes_in", "bytes_out")


class Throughput:
    """Adds ``bytes_in_per_second`` and ``bytes_out_per_second`` to the links of a status."""

    def __init__(self) -> None:
        self._before: dict[object, tuple[float, dict[str, int]]] = {}

    def add(self, session: dict[str, Any]) -> dict[str, Any]:
        """Return the status with the rates since the last look; 0 for a link that is new."""
        aliases = [
            {**alias, "links": [self._with_rates(session, alias, link) for link in alias["links"]]}
            for alias in session["aliases"]
        ]
        return {**session, "aliases": aliases}

    def _with_rates(
        self, session: dict[str, Any], alias: dict[str, Any], link: dict[str, Any]
    ) -> dict[str, Any]:
        key = (session["pid"], alias["alias"], link["local_node"], link["since"])
        now = time.monotonic()
        counted = {name: link[name] for name in _COUNTED}
        then, before = self._before.get(key, (now, counted))
        self._before[key] = (now, counted)
        seconds = max(now - then, 0.001)
        rates = {
            f"{name}_per_second": round((counted[name] - before[name]) / seconds)
            for name in _COUNTED
        }
        return {**link, **rates}


_SECONDS: Final = 1.0


@contextmanager
def draw_links(session: Session, reporter: HumanReporter) -> Iterator[None]:
    """Draw below what ``reporter`` tells, once a second, where stderr can be drawn on."""
    if not can_be_live(Console(stderr=True)):
        yield
        return
    drawing = _LiveReporter(session, reporter)
    drawing.tick()
    try:
        yield
    finally:
        drawing.end()


class _LiveReporter:
    """Ticks in the event loop; the view begins when there is an alias to draw."""

    def __init__(self, session: Session, reporter: HumanReporter) -> None:
        self._session = session
        self._reporter = reporter
        self._rates = Throughput()
        self._view: LiveView | None = None
        self._next: asyncio.TimerHandle | None = None

    def tick(self) -> None:
        status = self._session.status()
        if status.aliases:
            self._begun().show(self._rates.add(status_payload(status)))
        self._next = asyncio.get_running_loop().call_later(_SECONDS, self.tick)

    def end(self) -> None:
        if self._next:
            self._next.cancel()
        if self._view:
            self._reporter.write_by(None)
            self._view.stop()

    def _begun(self) -> LiveView:
        if self._view is None:
            self._view = LiveView()
            self._view.start()
            self._reporter.write_by(self._view.write, also_result=sys.stdout.isatty())
        return self._view
