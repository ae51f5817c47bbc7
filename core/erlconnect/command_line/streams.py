"""Writing to readers that may be gone: a pipe that was closed, a terminal that was."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator


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
