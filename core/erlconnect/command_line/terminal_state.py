"""Leaving the terminal as it was found: a shell that is killed leaves it without echo."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def terminal_restored() -> Iterator[None]:
    """Give the terminal on stdin, if there is one, its present modes back at the end."""
    try:
        terminal = sys.stdin.fileno()
        modes = termios.tcgetattr(terminal)
    except (termios.error, OSError, ValueError):
        yield
        return
    try:
        yield
    finally:
        # One that was closed needs nothing, and in the background it is another's.
        with contextlib.suppress(termios.error, OSError):
            if os.tcgetpgrp(terminal) == os.getpgrp():
                termios.tcsetattr(terminal, termios.TCSADRAIN, modes)
