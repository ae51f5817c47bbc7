"""The links of a session on a terminal, drawn once a second below the lines that are printed.

``connect`` uses it while a session is served in the foreground. A thread of its own draws and
writes, because a terminal that was stopped by Ctrl-S blocks every thread that writes to it. The
event loop must not be blocked: it serves nodes and handles signals.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from erlconnect.command_line.status import Throughput, alias_views
from erlconnect.session.events import status_payload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlconnect.command_line.output import HumanReporter
    from erlconnect.session.session import Session

_REFRESH_SECONDS: Final = 1.0
# Lines that wait for a terminal that is stopped; the oldest are dropped.
_MOST_LINES: Final = 1000
# How long the end of a session waits for a terminal that is stopped.
_END_SECONDS: Final = 1.0


@contextmanager
def draw_links(session: Session, reporter: HumanReporter) -> Iterator[None]:
    """Draw below what ``reporter`` prints, once a second, if stderr is a capable terminal."""
    console = Console(stderr=True)
    # A dumb terminal (TERM=dumb) cannot move its cursor up, so nothing could be redrawn.
    if not console.is_terminal or console.is_dumb_terminal:
        yield
        return
    refresher = _Refresher(session, reporter)
    refresher.tick()
    try:
        yield
    finally:
        refresher.stop()


class LiveView(threading.Thread):
    """Draws from ``start`` until ``stop``; of statuses that come too fast, only the latest."""

    def __init__(self) -> None:
        super().__init__(name="erlconnect live view", daemon=True)
        self._changed = threading.Condition()
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._status: dict[str, Any] | None = None
        self._stopping = False

    def write(self, line: str) -> None:
        """Print ``line`` above the links."""
        with self._changed:
            self._lines.append(line)
            self._changed.notify()

    def show(self, status: dict[str, Any]) -> None:
        """Draw the links of a status, as ``status_payload`` returns it."""
        with self._changed:
            self._status = status
            self._changed.notify()

    def stop(self) -> None:
        """Remove the links from the terminal; the lines stay."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self.join(_END_SECONDS)

    def run(self) -> None:
        """Draw. The thread ends when the terminal goes away."""
        # A descriptor of its own: Python flushes sys.stderr at exit, and would wait there for a
        # terminal that is stopped.
        with open(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding) as terminal:  # noqa: PTH123 - a descriptor
            console = Console(file=terminal, highlight=False)
            try:
                self._draw(console)
            except OSError:
                return

    def _draw(self, console: Console) -> None:
        with Live(
            console=console,
            # Rich would start one more thread for it; here every status is drawn once.
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live:
            stopping = False
            while not stopping:
                lines, status, stopping = self._next_work()
                for line in lines:
                    console.print(Text(line), soft_wrap=True)
                if status:
                    live.update(Group(*alias_views(status)), refresh=True)

    def _next_work(self) -> tuple[Sequence[str], dict[str, Any] | None, bool]:
        """Wait for lines, a status or ``stop``; return the lines and the status, and drop them."""
        with self._changed:
            while not (self._lines or self._status or self._stopping):
                self._changed.wait()
            lines, status = list(self._lines), self._status
            self._lines.clear()
            self._status = None
            return lines, status, self._stopping


class _Refresher:
    """Passes the status to the view once a second, in the event loop.

    The view starts when there is an alias to draw.
    """

    def __init__(self, session: Session, reporter: HumanReporter) -> None:
        self._session = session
        self._reporter = reporter
        self._throughput = Throughput()
        self._view: LiveView | None = None
        self._next: asyncio.TimerHandle | None = None

    def tick(self) -> None:
        status = self._session.status()
        if status.aliases:
            self._started_view().show(self._throughput.add(status_payload(status)))
        self._next = asyncio.get_running_loop().call_later(_REFRESH_SECONDS, self.tick)

    def stop(self) -> None:
        if self._next:
            self._next.cancel()
        if self._view:
            # Before the view ends: later lines go straight to stderr, and none is left in its
            # queue.
            self._reporter.redirect(None)
            self._view.stop()

    def _started_view(self) -> LiveView:
        if self._view is None:
            self._view = LiveView()
            self._view.start()
            self._reporter.redirect(self._view.write, also_result=sys.stdout.isatty())
        return self._view
