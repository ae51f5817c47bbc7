"""Copies of the bytes of a message that were forwarded but not walked yet.

They stand in blocks, and a block that one message no longer needs serves the next: memory given
back to the system and fetched anew for each message would cost more time than the search for
names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK: Final = 65536

# How many blocks a direction keeps for messages to come: 4 MB.
_MOST_SPARE: Final = 64


class UndecidedBytes:
    """The bytes of one message. ``spare`` is the blocks that all messages of a direction share."""

    __slots__ = ("_blocks", "_length", "_spare")

    def __init__(self, spare: list[bytearray]) -> None:
        self._blocks: list[bytearray] = []
        self._length = 0
        self._spare = spare

    def __len__(self) -> int:
        """Give the number of blocks."""
        return len(self._blocks)

    def __iter__(self) -> Iterator[tuple[bytearray, int]]:
        """Give each block and how many bytes of it count."""
        for number, block in enumerate(self._blocks):
            yield block, min(_BLOCK, self._length - number * _BLOCK)

    @property
    def size(self) -> int:
        """How much memory is held, in bytes."""
        return len(self._blocks) * _BLOCK

    def keep(self, piece: memoryview) -> None:
        """Add a copy of ``piece``."""
        while piece:
            filled = self._length % _BLOCK
            if not filled:
                self._blocks.append(self._spare.pop() if self._spare else bytearray(_BLOCK))
            part = piece[: _BLOCK - filled]
            memoryview(self._blocks[-1])[filled : filled + len(part)] = part
            self._length += len(part)
            piece = piece[len(part) :]

    def forget(self) -> None:
        """Drop everything."""
        self._spare += self._blocks[: _MOST_SPARE - len(self._spare)]
        self._blocks.clear()
        self._length = 0
