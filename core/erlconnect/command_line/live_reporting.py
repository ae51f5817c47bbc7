"""Having a session's links drawn on the terminal while it is served in the foreground."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console

from erlconnect.command_line.live_view import LiveView, can_be_live
from erlconnect.command_line.rates import Rates
from erlconnect.session.status import status_payload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erlconnect.command_line.reporting import HumanReporter
    from erlconnect.session.session import Session

_SECONDS: Final = 1.0


@contextmanager
def links_drawn(session: Session, reporter: HumanReporter) -> Iterator[None]:
    """Draw below what ``reporter`` tells, once a second, where stderr can be drawn on."""
    if not can_be_live(Console(stderr=True)):
        yield
        return
    drawing = _Drawing(session, reporter)
    drawing.tick()
    try:
        yield
    finally:
        drawing.end()


class _Drawing:
    """Ticks in the event loop; the view begins when there is an alias to draw."""

    def __init__(self, session: Session, reporter: HumanReporter) -> None:
        self._session = session
        self._reporter = reporter
        self._rates = Rates()
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
