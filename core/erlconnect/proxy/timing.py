"""How long each phase on the way to a node took, and how it ended.

Knows when a phase begins and ends; what the phases are called is for those who go through them.
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
    """Keeps the latest phases, in the order in which they ended; ``unread`` keeps none."""

    def __init__(self, most: int = _MOST) -> None:
        self.phases: deque[Span] = deque(maxlen=most)

    @classmethod
    def unread(cls) -> Self:
        """Return one for whoever lives long and never looks: errors hold on to what they met."""
        return cls(most=0)

    @contextmanager
    def phase(self, name: str, detail: str = "") -> Iterator[None]:
        """Time what happens inside; an exception is noted and goes on its way."""
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
