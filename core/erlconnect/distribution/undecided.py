"""Bytes that were forwarded but not walked yet, kept where they are.

They stand in the buffers that they were read into, which therefore must not change. To copy them
would cost more time than the search for names, and so would fresh memory for each message: a
buffer that no message needs any more serves again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erlconnect.distribution.fragment_runs import Piece

Data = bytes | bytearray

# How many buffers a direction has ready for messages to come.
_MOST_SPARE: Final = 16

# Memory that one more piece takes, however few its bytes.
_PIECE_SIZE: Final = 200


class KeptBuffers:
    """The buffers of one direction in which such bytes stand."""

    def __init__(self) -> None:
        self.size = 0
        """How much memory they hold, in bytes."""
        self._uses: dict[int, int] = {}
        self._exchanged: dict[int, bytearray] = {}
        self._spare: list[bytearray] = []

    def __contains__(self, buffer: Data) -> bool:
        """Tell whether a buffer must not change."""
        return id(buffer) in self._uses

    def hold(self, buffer: Data) -> None:
        """Count one more use of a buffer."""
        uses = self._uses.get(id(buffer), 0)
        self._uses[id(buffer)] = uses + 1
        if not uses:
            self.size += len(buffer)

    def let_go(self, buffer: Data) -> None:
        """Count one use less."""
        uses = self._uses.pop(id(buffer)) - 1
        if uses:
            self._uses[id(buffer)] = uses
            return
        self.size -= len(buffer)
        free = self._exchanged.pop(id(buffer), None)
        if free is not None and len(self._spare) < _MOST_SPARE:
            self._spare.append(free)

    def exchange(self, buffer: bytearray) -> bytearray:
        """Give another buffer of its size for one that is held, and that serves again later."""
        self._exchanged[id(buffer)] = buffer
        while self._spare:
            spare = self._spare.pop()
            if len(spare) == len(buffer):
                return spare
        return bytearray(len(buffer))


class UndecidedBytes:
    """Those of one message."""

    __slots__ = ("_buffers", "_pieces")

    def __init__(self, buffers: KeptBuffers) -> None:
        self._buffers = buffers
        self._pieces: list[tuple[Data, int, int]] = []

    def __len__(self) -> int:
        """Give the number of pieces."""
        return len(self._pieces)

    def __iter__(self) -> Iterator[tuple[Data, int, int]]:
        """Give each piece: its buffer, and where it begins and ends there."""
        return iter(self._pieces)

    def keep(self, buffer: Data, pieces: list[Piece]) -> None:
        """Add pieces of one buffer."""
        if not pieces:
            return
        if not self._pieces or self._pieces[-1][0] is not buffer:
            self._buffers.hold(buffer)
        self._pieces += [(buffer, start, end) for start, end in pieces]
        self._buffers.size += _PIECE_SIZE * len(pieces)

    def forget(self) -> None:
        """Drop everything."""
        previous = None
        for buffer, _, _ in self._pieces:
            if buffer is not previous:
                self._buffers.let_go(buffer)
            previous = buffer
        self._buffers.size -= _PIECE_SIZE * len(self._pieces)
        self._pieces.clear()
