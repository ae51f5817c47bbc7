"""How long each phase of reaching a node took, and with which error it ended, if any.

The callers choose the names of the phases (``session/connector.py``, ``proxy/frame_stream.py``).
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
    """One phase that is over; ``detail`` distinguishes two phases of the same name."""

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
        """Measure the block in seconds; an exception is recorded and raised again."""
        # Monotonic: a correction of the system's clock must not make a phase negative.
        began = time.monotonic()
        error: BaseException | None = None
        try:
            yield
        # BaseException: a phase that is cancelled by a deadline has to be recorded as failed, too.
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.monotonic() - began
            self.phases.append(Span(name=name, detail=detail, seconds=seconds, error=error))
