"""How frames begin: messages of one kind share their header, control term and first tokens.

What was walked once at the beginning of a frame need not be walked again where the next frame of
its kind begins with the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from erlconnect.distribution.rewrite_table import RewriteTable

# So many bytes tell the kinds apart: the number of cached atoms, their flags and their indices.
_KIND: Final = 32

# When so many kinds are known all are forgotten; and no longer beginning is remembered.
_MOST_KINDS: Final = 64
_LONGEST: Final = 4096


class FrameBeginnings:
    """What whole frames of one direction begin with, up to a border between two tokens.

    No name stands in it.
    """

    def __init__(self, table: RewriteTable) -> None:
        self._table = table
        self._known: dict[bytes, bytes] = {}

    def skip(self, buffer: bytearray, start: int, end: int) -> int:
        """Give where the known beginning of a frame ends, ``start`` if there is none.

        ``start`` is where its distribution header begins, ``end`` where the frame ends.
        """
        known = self._known.get(bytes(buffer[start : start + _KIND]))
        if known and buffer.startswith(known, start, end):
            return start + len(known)
        return start

    def learn(self, buffer: bytearray, start: int, terms: int, end: int) -> None:
        """Remember how a frame begins whose tokens from ``terms`` to ``end`` hold no name.

        Of what was known of its kind only that stays which this one begins with, too.
        """
        kind = bytes(buffer[start : start + _KIND])
        known = self._known.get(kind)
        if known == b"":
            return
        beginning = bytes(buffer[start : min(end, start + _LONGEST)])
        shared = len(beginning) if known is None else _shared_length(known, beginning)
        border = terms
        run = self._table.token_run
        if start + shared > terms and (match := run.match(buffer, terms, start + shared)):
            border = match.end()
        if len(self._known) >= _MOST_KINDS:
            self._known.clear()
        self._known[kind] = beginning[: border - start] if border > terms else b""


def _shared_length(one: bytes, other: bytes) -> int:
    """Give how many bytes are the same at the beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
