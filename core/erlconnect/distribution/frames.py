"""The kinds of frames between connected nodes, told apart by their first two bytes.

    (empty)   a tick
    131 68    a whole message: distribution header, control term, payload
    131 69    the first fragment: sequence, fragment number, then as 68
    131 70    a later fragment: sequence, fragment number, a piece of the payload
    112       a whole message without a distribution header ("pass through")

Source: "Protocol between Connected Nodes" and "Distribution Header".

Whole messages in a row, which is what nearly all frames are: how far they go, how many they are.

This is the walk that runs for every small message, so it looks at no more than it must.

Fragments of one message in a row, which is how a large message comes: how far they go.
"""

from __future__ import annotations

import struct
from typing import Final

from erlconnect.distribution.errors import RemoteProtocolError

PASS_THROUGH: Final = 112
DIST_HEADER: Final = 0x8344
FRAG_HEADER: Final = 0x8345
FRAG_CONT: Final = 0x8346
FRAGMENT_TYPES: Final = (FRAG_HEADER, FRAG_CONT)
LENGTH_SIZE: Final = 4
HEAD_SIZE: Final = LENGTH_SIZE + 2
"""Length and kind."""
FRAGMENT_HEAD_SIZE: Final = HEAD_SIZE + 8 + 8
"""Length, kind, sequence and number of a fragment."""


def framed(body: bytes) -> bytes:
    """Return a frame: the body behind its length."""
    return len(body).to_bytes(LENGTH_SIZE, "big") + body


def check_frame(length: int, kind: int, max_frame: int) -> None:
    """Raise ``RemoteProtocolError`` for a frame that is too long or of no known kind."""
    if length > max_frame:
        raise RemoteProtocolError(
            f"frame: {length} bytes, more than max-frame allows ({max_frame})"
        )
    if kind != DIST_HEADER and kind not in FRAGMENT_TYPES and kind >> 8 != PASS_THROUGH:
        raise RemoteProtocolError(f"frame: kind {kind >> 8} {kind & 255} is not known")


_length_and_kind = struct.Struct(">IH").unpack_from
# In fewer bytes it is not worth looking for frames of equal size.
_MUCH: Final = 4096
# More frames of equal size than this are looked at in several goes, so that a run of twelve costs
# no look at the whole buffer.
_AT_ONCE: Final = 512
# Whoever has as many neighbours ahead has them in between too, nearly always.
_AHEAD: Final = 8


def skip_unfragmented(buffer: bytearray, start: int, end: int) -> tuple[int, int]:
    """Walk over the messages that are all there; return where that ends and their number.

    The one at ``start`` is known to be one.
    """
    # Names of its own, because a name of the module costs a look at each frame.
    length_and_kind, whole, length_size = _length_and_kind, DIST_HEADER, LENGTH_SIZE
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
    """Return how many whole frames in a row begin like the one at ``start``, itself included.

    ``size`` is that frame's, with its length field. Short runs may pass for runs of one, which
    need not be all there; long ones are told in part.
    """
    ahead = start + _AHEAD * size
    if ahead + size > end or _length_and_kind(buffer, ahead) != (size - LENGTH_SIZE, DIST_HEADER):
        return 1
    count = min((end - start) // size, _AT_ONCE)
    for at in range(start, start + HEAD_SIZE):
        column = buffer[at : start + count * size : size]
        count -= len(column.lstrip(column[:1]))
    return count


fragment_head = struct.Struct(">IHQQ").unpack_from
"""Length, kind, sequence and number of the fragment at an offset of a buffer."""
BufferSlice = tuple[int, int]
"""Where the terms of a fragment begin and end."""


def skip_fragments(buffer: bytearray, position: int, end: int, sequence: int) -> list[BufferSlice]:
    """Return the fragments of a message that are all there, neither the first nor the last of it.

    They stand one behind the other from ``position`` on.
    """
    head, head_size = fragment_head, FRAGMENT_HEAD_SIZE
    pieces: list[BufferSlice] = []
    last_head = end - head_size
    while position <= last_head:
        length, kind, of, number = head(buffer, position)
        terms = position + head_size
        position += LENGTH_SIZE + length
        if kind != FRAG_CONT or of != sequence or number == 1:
            break
        if not terms <= position <= end:
            break
        pieces.append((terms, position))
    return pieces
