"""Whole messages in a row, which is what nearly all frames are: how far they go, how many they are.

This is the walk that runs for every small message, so it looks at no more than it must.
"""

from __future__ import annotations

import struct
from typing import Final

from erlconnect.distribution.frame_kinds import HEAD_SIZE, LENGTH_SIZE, WHOLE

_length_and_kind = struct.Struct(">IH").unpack_from

# In fewer bytes it is not worth looking for frames of equal size.
_MUCH: Final = 4096

# More frames of equal size than this are looked at in several goes, so that a run of twelve costs
# no look at the whole buffer.
_AT_ONCE: Final = 512

# Whoever has as many neighbours ahead has them in between too, nearly always.
_AHEAD: Final = 8


def whole_messages(buffer: bytearray, start: int, end: int) -> tuple[int, int]:
    """Walk over the messages that are all there; give where that ends and their number.

    The one at ``start`` is known to be one.
    """
    # Names of its own, because a name of the module costs a look at each frame.
    length_and_kind, whole, length_size = _length_and_kind, WHOLE, LENGTH_SIZE
    position, frames = start, 0
    last_head = end - HEAD_SIZE
    far = end - _MUCH
    previous = -1
    while position <= last_head:
        length, kind = length_and_kind(buffer, position)
        if kind != whole:
            break
        if length == previous and position < far:
            size = length_size + length
            count = frames_alike(buffer, position, end, size)
            frames += count
            position += count * size
            continue
        previous = length
        position += length_size + length
        frames += 1
    return (position - length_size - length, frames - 1) if position > end else (position, frames)


def frames_alike(buffer: bytearray, start: int, end: int, size: int) -> int:
    """Give how many whole frames in a row begin like the one at ``start``, itself included.

    ``size`` is that frame's, with its length field. Short runs may pass for runs of one, which
    need not be all there; long ones are told in part.
    """
    ahead = start + _AHEAD * size
    if ahead + size > end or _length_and_kind(buffer, ahead) != (size - LENGTH_SIZE, WHOLE):
        return 1
    count = min((end - start) // size, _AT_ONCE)
    for at in range(start, start + HEAD_SIZE):
        column = buffer[at : start + count * size : size]
        count -= len(column.lstrip(column[:1]))
    return count
