"""Frames between connected nodes: their types, and how far a run of equal ones goes.

Each frame is a 32-bit length and so many bytes. The first one or two bytes tell its type:

    (empty)   TICK: keeps the connection alive
    131 68    DIST_HEADER: atom cache entries, control term, payload; a whole message
    131 69    FRAG_HEADER: sequence number, fragment number, then as DIST_HEADER
    131 70    FRAG_CONT: sequence number, fragment number, more of the payload
    112       PASS_THROUGH: a whole message whose terms have no atom cache

``skip_unfragmented`` and ``skip_fragments`` walk over many frames at once. They run for every
frame of a busy link, so they look at nothing that they do not need.
Source: "Protocol between Connected Nodes" (Distribution Protocol), "Distribution Header" (External
Term Format).
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
"""The length field and the two bytes of the type."""
FRAGMENT_HEAD_SIZE: Final = HEAD_SIZE + 8 + 8
"""Length, type, sequence number and fragment number."""


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
_MIN_BYTES: Final = 4096
# So many frames of equal size are compared at once, so that a run of twelve does not cost a
# comparison of the whole buffer.
_AT_ONCE: Final = 512
# If the frame so many positions ahead has the same size, those in between usually have it, too.
# Only then they are worth comparing.
_AHEAD: Final = 8


def skip_unfragmented(buffer: bytearray, start: int, end: int) -> tuple[int, int]:
    """Walk over DIST_HEADER frames that are complete; return where they end and their number.

    The frame at ``start`` is known to be one.
    """
    # Local names: looking up a global one costs time for each frame.
    length_and_kind, whole, length_size = _length_and_kind, DIST_HEADER, LENGTH_SIZE
    position, frames = start, 0
    last_head = end - HEAD_SIZE
    far = end - _MIN_BYTES
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
    """Return how many frames in a row have the size and type of the one at ``start``, itself too.

    ``size`` is that frame's, with its length field. The result may be too small, never too large:
    a short run counts as 1, and of a long one only a part is counted.
    """
    ahead = start + _AHEAD * size
    if ahead + size > end or _length_and_kind(buffer, ahead) != (size - LENGTH_SIZE, DIST_HEADER):
        return 1
    count = min((end - start) // size, _AT_ONCE)
    # Each byte of the head is compared over all frames by one slice with a step.
    for at in range(start, start + HEAD_SIZE):
        column = buffer[at : start + count * size : size]
        count -= len(column.lstrip(column[:1]))
    return count


fragment_head = struct.Struct(">IHQQ").unpack_from
"""Length, type, sequence number and fragment number of the fragment at an offset of a buffer."""
BufferSlice = tuple[int, int]
"""Where the terms of a fragment begin and end."""


def skip_fragments(buffer: bytearray, position: int, end: int, sequence: int) -> list[BufferSlice]:
    """Return the fragments in a row from ``position`` on that are complete.

    Only those between the first and the last fragment of the message ``sequence`` count.
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
