"""The links of a session on a terminal, drawn anew each second below the lines that are told.

A thread of its own draws and writes, and nothing else does: a terminal that was stopped by Ctrl-S
holds up this thread, and no node and no signal.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from erlconnect.command_line.status_table import alias_views

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_LINES: Final = 1000
_END_SECONDS: Final = 1.0


def can_be_live(console: Console) -> bool:
    """Say whether ``console`` is a terminal on which lines can be drawn over."""
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
