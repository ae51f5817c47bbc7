"""What is logged as a warning reaches whoever watches the session, as its ``warning`` events do.

A transport or a library has no other way to say something: ``open`` is given no session.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from erlconnect.redaction import RedactingFilter
from erlconnect.session.events import Warned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erlconnect.session.events import Reporter


class _Handler(logging.Handler):
    """Reports in the thread of the loop, whichever thread logs."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.WARNING)
        self.addFilter(RedactingFilter())
        self._reporter = reporter
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        event = Warned(message=record.getMessage())
        self._loop.call_soon_threadsafe(self._reporter.report, event)


@contextmanager
def warnings_reported(reporter: Reporter) -> Iterator[None]:
    """Tell ``reporter`` of every warning that is logged meanwhile; needs a running loop."""
    handler = _Handler(reporter)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
