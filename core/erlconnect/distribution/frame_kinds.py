"""The kinds of frames between connected nodes, told apart by their first two bytes.

    (empty)   a tick
    131 68    a whole message: distribution header, control term, payload
    131 69    the first fragment: sequence, fragment number, then as 68
    131 70    a later fragment: sequence, fragment number, a piece of the payload
    112       a whole message without a distribution header ("pass through")

Source: "Protocol between Connected Nodes" and "Distribution Header".
"""

from __future__ import annotations

from typing import Final

from erlconnect.distribution.errors import RemoteProtocolError

PASS_THROUGH: Final = 112
WHOLE: Final = 0x8344
FIRST_FRAGMENT: Final = 0x8345
LATER_FRAGMENT: Final = 0x8346
FRAGMENTS: Final = (FIRST_FRAGMENT, LATER_FRAGMENT)

LENGTH_SIZE: Final = 4
HEAD_SIZE: Final = LENGTH_SIZE + 2
"""Length and kind."""
FRAGMENT_HEAD_SIZE: Final = HEAD_SIZE + 8 + 8
"""Length, kind, sequence and number of a fragment."""


def framed(body: bytes) -> bytes:
    """Give a frame: the body behind its length."""
    return len(body).to_bytes(LENGTH_SIZE, "big") + body


def check_frame(length: int, kind: int, max_frame: int) -> None:
    """Raise ``RemoteProtocolError`` for a frame that is too long or of no known kind."""
    if length > max_frame:
        raise RemoteProtocolError(
            f"frame: {length} bytes, more than max-frame allows ({max_frame})"
        )
    if kind != WHOLE and kind not in FRAGMENTS and kind >> 8 != PASS_THROUGH:
        raise RemoteProtocolError(f"frame: kind {kind >> 8} {kind & 255} is not known")
