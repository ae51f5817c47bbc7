"""A walk over a stream of terms that can stop at any byte and go on later.

It looks for two things: atoms that are names of the link's table, and the heads of funs, whose
Size counts the bytes of what they enclose. It builds no terms and keeps no stack.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.term_tokens import (
    ATOM_CACHE_REF,
    ATOM_LENGTH_BYTES,
    COUNTED_SIZES,
    FIXED_SIZES,
    NEW_FUN_EXT,
    NEW_FUN_SIZE_END,
    NODE_SIZES,
    REFERENCE_CREATIONS,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Container

# One call into the regular expression engine holds the interpreter: keep each one short.
_WINDOW: Final = 65536


@dataclass(slots=True)
class Findings:
    """Positions in the data that ``advance`` was given.

    ``names`` are where the length byte of a name's atom is; ``funs`` are ``(start, end)`` of
    NEW_FUN_EXT terms, where ``end`` may lie beyond the data and ``start`` before it.
    """

    names: list[int] = field(default_factory=list)
    funs: list[tuple[int, int]] = field(default_factory=list)


def walk_frequent(
    run: re.Pattern[bytes],
    data: bytes | bytearray,
    position: int,
    end: int,
    names: list[int],
    *,
    shift: int = 0,
) -> int:
    """Walk as far as the tokens are frequent ones; give where that ended, between two.

    What it finds goes to ``names``, as in ``Findings``, by ``shift`` further.
    """
    end = min(end, position + _WINDOW)
    while position < end and (match := run.match(data, position, end)):
        position = match.end()
        if not match.lastindex:
            break
        names.append(match.start(1) + shift)
    return position


class TermWalk:
    """The state of one walk: at most a token's head is kept, whatever the size of the terms."""

    __slots__ = ("_after_atom", "_partial", "_patterns", "_run", "lost", "skip")

    def __init__(self, run: re.Pattern[bytes], patterns: Container[bytes]) -> None:
        self._run = run
        self._patterns = patterns
        self._after_atom = 0
        self._partial = b""
        self.skip = 0
        """Bytes still to come that belong to the inside of a token, e.g. of a binary."""
        self.lost = False
        """Whether a tag came that this walk does not know there: the rest is opaque."""

    @property
    def between_terms(self) -> bool:
        """Whether a message may end here."""
        return not (self.skip or self._partial or self._after_atom)

    @property
    def opaque(self) -> int:
        """How many of the next bytes are known to hold no name that could be found."""
        return sys.maxsize if self.lost else self.skip

    def give_back(self, limit: int) -> int:
        """Forget the last bytes, at most ``limit``, if they begin a token that is not all there.

        Gives how many were forgotten; the next ``advance`` has to begin with them.
        """
        kept = max(0, len(self._partial) - limit)
        size = len(self._partial) - kept
        self._partial = self._partial[:kept]
        return size

    def advance(
        self, data: bytes | bytearray, start: int, end: int, findings: Findings | None = None
    ) -> None:
        """Walk over ``data[start:end]``, which continues what was walked before."""
        found = Findings() if findings is None else findings
        if not self._partial:
            self._walk(data, start, end, found, 0)
            return
        kept = self._partial
        self._partial = b""
        self._walk(kept + data[start:end], 0, len(kept) + end - start, found, start - len(kept))

    def _walk(
        self, data: bytes | bytearray, position: int, end: int, found: Findings, shift: int
    ) -> None:
        position += self.skip
        while position < end and not self.lost:
            if not self._after_atom:
                position = walk_frequent(self._run, data, position, end, found.names, shift=shift)
                if position >= end:
                    break
            after = self._step(data, position, end, found, shift)
            if after is None:
                self._partial = bytes(data[position:end])
                position = end
            else:
                position = after
        self.skip = position - end if position > end else 0

    def _step(
        self, data: bytes | bytearray, position: int, end: int, found: Findings, shift: int
    ) -> int | None:
        """Step over one token; ``None`` where its head is not all there."""
        tag = data[position]
        if tag in ATOM_LENGTH_BYTES:
            return self._atom(data, position, end, found, shift)
        if self._after_atom and tag != ATOM_CACHE_REF:
            return self._lose(end)
        if tag in FIXED_SIZES:
            if tag == NEW_FUN_EXT:
                return self._fun(data, position, end, found, shift)
            after = position + FIXED_SIZES[tag] + self._after_atom
            self._after_atom = 0
            return after
        if tag in COUNTED_SIZES:
            length_bytes, extra = COUNTED_SIZES[tag]
            head = position + 1 + length_bytes
            count = int.from_bytes(data[position + 1 : head], "big")
            return head + extra + count if head <= end else None
        return self._node(data, position, end, tag)

    def _atom(
        self, data: bytes | bytearray, position: int, end: int, found: Findings, shift: int
    ) -> int | None:
        text = position + 1 + ATOM_LENGTH_BYTES[data[position]]
        if text > end:
            return None
        length = int.from_bytes(data[position + 1 : text], "big")
        if text + length > end and length < 256:  # noqa: PLR2004 - it may be a name
            return None
        if bytes(data[text - 1 : text + length]) in self._patterns and length < 256:  # noqa: PLR2004
            found.names.append(text - 1 + shift)
        after = text + length + self._after_atom
        self._after_atom = 0
        return after

    def _fun(
        self, data: bytes | bytearray, position: int, end: int, found: Findings, shift: int
    ) -> int | None:
        if position + NEW_FUN_SIZE_END > end:
            return None
        size = int.from_bytes(data[position + 1 : position + NEW_FUN_SIZE_END], "big")
        found.funs.append((position + shift, position + shift + 1 + size))
        return position + FIXED_SIZES[NEW_FUN_EXT]

    def _node(self, data: bytes | bytearray, position: int, end: int, tag: int) -> int | None:
        if tag in NODE_SIZES:
            self._after_atom = NODE_SIZES[tag]
            return position + 1
        if tag in REFERENCE_CREATIONS:
            if position + 3 > end:
                return None
            words = int.from_bytes(data[position + 1 : position + 3], "big")
            self._after_atom = REFERENCE_CREATIONS[tag] + 4 * words
            return position + 3
        return self._lose(end)

    def _lose(self, end: int) -> int:
        """Give up at a tag that is unknown, or unknown where an atom has to be; judge nothing."""
        self.lost = True
        return end
