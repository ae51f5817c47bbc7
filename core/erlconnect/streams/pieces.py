"""Lists of buffers that are sent bit by bit."""

from __future__ import annotations


def without(pieces: list[memoryview], size: int) -> list[memoryview]:
    """Give what is left of ``pieces`` when the first ``size`` bytes are gone."""
    for number, piece in enumerate(pieces):
        if size < len(piece):
            return [piece[size:], *pieces[number + 1 :]]
        size -= len(piece)
    return []
