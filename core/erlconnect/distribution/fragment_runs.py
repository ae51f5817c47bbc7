"""Fragments of one message in a row, which is how a large message comes: how far they go."""

from __future__ import annotations

import struct

from erlconnect.distribution.frame_kinds import FRAGMENT_HEAD_SIZE, LATER_FRAGMENT, LENGTH_SIZE

fragment_head = struct.Struct(">IHQQ").unpack_from
"""Length, kind, sequence and number of the fragment at an offset of a buffer."""

Piece = tuple[int, int]
"""Where the terms of a fragment begin and end."""


def fragments_between(buffer: bytearray, position: int, end: int, sequence: int) -> list[Piece]:
    """Give the fragments of a message that are all there, neither the first nor the last of it.

    They stand one behind the other from ``position`` on.
    """
    head, head_size = fragment_head, FRAGMENT_HEAD_SIZE
    pieces: list[Piece] = []
    last_head = end - head_size
    while position <= last_head:
        length, kind, of, number = head(buffer, position)
        terms = position + head_size
        position += LENGTH_SIZE + length
        if kind != LATER_FRAGMENT or of != sequence or number == 1:
            break
        if not terms <= position <= end:
            break
        pieces.append((terms, position))
    return pieces
