"""Writing to readers that may be gone: a pipe that was closed, a terminal that was."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator


def open_missing_streams() -> None:
    """Open to nowhere what was closed at the start (``>&-``), before a socket takes its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 - until the end


@contextmanager
def outliving(stream: TextIO) -> Iterator[None]:
    """Let what is written to ``stream`` go nowhere from the moment its reader is gone.

    A session serves nodes; it does not end because nobody reads what it says of them.
    """
    try:
        yield
    except OSError:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), stream.fileno())
