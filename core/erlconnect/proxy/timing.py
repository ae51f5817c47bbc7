"""How long each step on the way to a node took, and how it ended.

The steps' names are chosen by those who measure (``session/connector.py``, ``diagnostics``).
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One phase that is over; ``detail`` tells two of one name apart."""

    name: str
    detail: str
    seconds: float
    error: BaseException | None


class Timer:
    """Keeps the latest phases, in the order in which they ended; ``disabled`` records none."""

    def __init__(self, most: int = _MOST) -> None:
        self.phases: deque[Span] = deque(maxlen=most)

    @classmethod
    def disabled(cls) -> Self:
        """Return a timer that records nothing: spans keep the tracebacks of errors alive."""
        return cls(most=0)

    @contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        """Measure the block; an exception is recorded and goes on."""
        began = time.monotonic()
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.monotonic() - began
            self.phases.append(Span(name=name, detail=detail, seconds=seconds, error=error))
