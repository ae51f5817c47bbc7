"""Hears what the library ``kubernetes`` logs instead of raising it.

A credential plugin that fails is one line in the root logger and a request without credentials.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextlib.contextmanager
def said_by_library() -> Iterator[list[str]]:
    """Collect the errors that are logged meanwhile."""
    listener = _Listener()
    # With a handler there, the library does not set up logging to the terminal by itself.
    logging.getLogger().addHandler(listener)
    try:
        yield listener.said
    finally:
        logging.getLogger().removeHandler(listener)
