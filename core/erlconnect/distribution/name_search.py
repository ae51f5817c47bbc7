"""The search for names, which runs for every byte that is not inside a known binary.

A name is searched for by a byte that all names of a table hold, such as their ``@``: one fast look
tells that a stretch holds no name at all. Which byte is rare depends on the data (every float
begins with ``@``), so several are tried, and the one that did well last time first.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Bytes to search by, those first that are rare between the tags and small numbers of terms.
_RARE: Final = b"@._-~4957830621zqxvypgfcduonierst"
_MOST_BYTES: Final = 3

# A look at one place costs as much as the engine's search through so many bytes. Where the places
# turn out to be more frequent than that, another byte is tried, and then the engine for a while.
_LOOK: Final = 400
_TRIES: Final = 4
_WHILE: Final = 16384


class _Look(NamedTuple):
    """The search by one byte: what stands before it in the patterns, and how to tell them there."""

    byte: bytes
    before: frozenset[int]
    is_there: Callable[[bytes | bytearray, int, int], re.Match[bytes] | None]

    @classmethod
    def by(cls, byte: int, patterns: list[bytes]) -> _Look:
        before = frozenset(pattern[pattern.rindex(byte) - 1] for pattern in patterns)
        there = _beginning_at(patterns, lambda pattern: pattern.rindex(byte))
        return cls(bytes([byte]), before, there.match)

    def first_place(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Do ``NameSearch.first_place``, or give ``~place`` where it was given up at ``place``."""
        byte, before, is_there = self
        find = data.find
        at = find(byte, start, end)
        looked = start - _TRIES * _LOOK
        while at >= 0:
            # In front of the first byte of all stands no name, whatever is compared there.
            if data[at - 1] in before and is_there(data, at, end):
                return at
            looked += _LOOK
            if looked > at:
                return ~at
            at = find(byte, at + 1, end)
        return end


class NameSearch:
    """Finds any of the patterns. It learns from the data which byte to look for first."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        every = list(patterns)
        self._looks: Final = [_Look.by(byte, every) for byte in _common(every)]
        self.rare_byte: Final = self._looks[0].byte if self._looks else b""
        """Stands in every pattern; nothing where no byte does."""
        self._longest = max(map(len, every), default=0)
        self.anchors: Final = [(pattern, _anchor(pattern)) for pattern in every]
        """Each pattern, and where in it the places are that ``engine`` finds."""
        self.engine: Final = _beginning_at(every, _anchor)
        """Finds all patterns, those that overlap too where each search begins behind a place."""

    def first_place(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Give a place inside the first pattern of a stretch, or the stretch's end.

        What is before ``start`` may be part of the pattern.
        """
        begin, stretch = start, _WHILE
        while start < end:
            reached = start
            for number, look in enumerate(self._looks):
                place = look.first_place(data, start, end)
                if place >= 0:
                    if number:
                        self._looks.insert(0, self._looks.pop(number))
                    return place
                reached = max(reached, ~place)
            after = min(reached + stretch, end)
            if match := self.engine.search(data, max(begin, reached - self._longest), after):
                return match.start()
            start = after if after == end else after - self._longest
            stretch *= 2
        return end


def _anchor(pattern: bytes) -> int:
    return pattern.rfind(b"@") % len(pattern)


def _common(patterns: list[bytes]) -> list[int]:
    """Give the bytes to look for: those that all patterns hold, the rarest first."""
    if not patterns:
        return []
    texts = [pattern[1:] for pattern in patterns]
    return [byte for byte in _RARE if all(byte in text for text in texts)][:_MOST_BYTES]


def _beginning_at(patterns: list[bytes], anchor: Callable[[bytes], int]) -> re.Pattern[bytes]:
    """Compile a search for any of the patterns that begins to match at its anchor.

    Most ways begin with the same byte then, for which the engine has a quick loop.
    """
    ways: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for pattern in patterns:
        ways[pattern[anchor(pattern) :]].append(b"(?<=%b)" % re.escape(pattern))
    searched = [b"%b(?:%b)" % (re.escape(end), b"|".join(whole)) for end, whole in ways.items()]
    return re.compile(b"|".join(searched) if searched else b"(?!)", re.DOTALL)
