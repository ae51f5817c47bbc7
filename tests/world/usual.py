"""The releases of Erlang that nodes are of where a test names none.

A test that was written for two nodes of one release runs for other ones without a change.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True)
class Usual:
    """OTP numbers."""

    local: str = "25"
    remote: str = "25"


USUAL: Final = Usual()


@contextmanager
def usually(local: str, remote: str) -> Iterator[None]:
    """Let nodes be of these releases."""
    before = USUAL.local, USUAL.remote
    USUAL.local, USUAL.remote = local, remote
    try:
        yield
    finally:
        USUAL.local, USUAL.remote = before
