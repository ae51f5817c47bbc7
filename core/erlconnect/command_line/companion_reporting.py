"""What a session tells while it serves one child, which has stdout and the terminal to itself."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.copy_paste import where_line
from erlconnect.command_line.reporting import HumanReporter
from erlconnect.hookspecs import LinkEvent
from erlconnect.session.events import Failed, Ready, Stopped

if TYPE_CHECKING:
    from erlconnect.errors import ErlconnectError
    from erlconnect.session.events import Event

# A node that dials in vain all day is no reason to grow; the latest say most.
_MOST_WAITING: Final = 100


class CompanionReporter:
    """Says on stderr which node is meant, and what goes wrong.

    While a child has the terminal, that waits until it has ended: a shell draws its own lines.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._human = HumanReporter(quiet=quiet)
        self._waiting: deque[Event] | None = None
        self._stands = asyncio.Event()
        self._ready: Ready | None = None
        self.refusal: ErlconnectError | None = None
        """Why a link did not come up, the latest one."""

    def progress(self, message: str) -> None:
        """Show what is being done before the child starts."""
        self._human.progress(message)

    def report(self, event: Event | LinkEvent) -> None:
        """Show the event, or keep it; links are the child's own affair."""
        if isinstance(event, Ready):
            self._ready = event
            self._stands.set()
            for alias in event.aliases:
                self._human.note(where_line(alias))
        elif isinstance(event, LinkEvent | Stopped):
            return
        else:
            if isinstance(event, Failed):
                self.refusal = event.error
            self._show(event)

    async def ready(self) -> Ready:
        """Wait for the session to stand."""
        await self._stands.wait()
        assert self._ready  # noqa: S101 - what was waited for
        return self._ready

    def give_terminal(self) -> None:
        """Keep what there is to say from now on, if it would be said at the child's terminal."""
        self._human.stop_progress()
        if sys.stderr.isatty():
            self._waiting = deque(maxlen=_MOST_WAITING)

    def take_terminal(self) -> None:
        """Say what was kept."""
        kept, self._waiting = self._waiting or (), None
        for event in kept:
            self._show(event)

    def _show(self, event: Event) -> None:
        if self._waiting is None:
            self._human.report(event)
        else:
            self._waiting.append(event)
