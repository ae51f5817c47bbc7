"""Which node name becomes which in one direction of a link, and the search for those names.

The mapping is a permutation: names are swapped, never only replaced. Two names that became one
would merge two keys of a map, and the receiver would drop the link.

``CompiledMapping`` is built when a link's handshake ends; ``NameSearch`` in it runs for every byte
that is not inside a known binary. It looks for a byte that all names hold, such as their ``@``: one
``bytes.find`` tells that a stretch holds no name at all. Which byte is rare depends on the data
(every float begins with ``@``), so several are tried, the one that did well last time first.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from erlconnect.distribution.etf_scanner import FUN_HEAD_SIZE, cut_at_end, fun_head, token_run
from erlconnect.distribution.handshake_messages import encode_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LONGEST_PATTERN: Final = 256
"""Bytes of the longest ``atom_pattern``."""


def permutation(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Complete ``(local, remote)`` pairs to a permutation of all names in them.

    Chains are closed: ``a -> b, b -> c`` gets ``c -> a``. Pairs of equal names stay out of the
    result, they need no rewriting. ``ValueError`` where two pairs share a side.
    """
    unique = list(dict.fromkeys(pairs))
    forward = dict(unique)
    backward = {remote: local for local, remote in unique}
    if len(backward) < len(unique):
        raise ValueError("two local names stand for one remote name")
    if len(forward) < len(unique):
        raise ValueError("one local name stands for two remote names")
    for end in [remote for remote in backward if remote not in forward]:
        start = end
        while start in backward:
            start = backward[start]
        forward[end] = start
    return {old: new for old, new in forward.items() if old != new}


def inverse(table: Mapping[str, str]) -> dict[str, str]:
    """Return the table of the other direction."""
    return {new: old for old, new in table.items()}


def atom_pattern(name: str) -> bytes:
    """Return the bytes that every encoding of this atom contains: its length in one byte, its text.

    ATOM_UTF8_EXT, SMALL_ATOM_UTF8_EXT, their Latin-1 kin and new entries of the distribution
    header all hold them, long forms with one more zero byte before.
    """
    text = encode_name(name)
    return bytes([len(text)]) + text


# Bytes to search by, those first that are rare between the tags and small numbers of terms.
_RARE: Final = b"@._-~4957830621zqxvypgfcduonierst"
_MOST_BYTES: Final = 3
# To compare one place costs as much as the engine's search through so many bytes. Where places are
# more frequent than that, another byte is tried, and then the engine for ``_ENGINE_BYTES``.
_PLACE_COST: Final = 400
_TRIES: Final = 4
_ENGINE_BYTES: Final = 16384


class _ByteSearch(NamedTuple):
    """The search by one byte: what precedes it in the patterns, and whether a pattern is there."""

    byte: bytes
    before: frozenset[int]
    is_there: Callable[[bytes | bytearray, int, int], re.Match[bytes] | None]

    @classmethod
    def by(cls, byte: int, patterns: list[bytes]) -> _ByteSearch:
        before = frozenset(pattern[pattern.rindex(byte) - 1] for pattern in patterns)
        there = _beginning_at(patterns, lambda pattern: pattern.rindex(byte))
        return cls(bytes([byte]), before, there.match)

    def first_place(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Do ``NameSearch.first_place``; return ``~place`` where it stopped at ``place``.

        It stops where the byte is so frequent that another way is quicker.
        """
        byte, before, is_there = self
        find = data.find
        at = find(byte, start, end)
        spent = start - _TRIES * _PLACE_COST
        while at >= 0:
            # At index 0 this reads the last byte, ``data[-1]``. That is harmless: no pattern ends
            # its part before ``byte`` at the start of the data, so ``is_there`` is false.
            if data[at - 1] in before and is_there(data, at, end):
                return at
            spent += _PLACE_COST
            if spent > at:
                return ~at
            at = find(byte, at + 1, end)
        return end


class NameSearch:
    """Finds any of the patterns. It learns from the data which byte to look for first."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        every = list(patterns)
        self._searches: Final = [_ByteSearch.by(byte, every) for byte in _common(every)]
        self.rare_byte: Final = self._searches[0].byte if self._searches else b""
        """Stands in every pattern; nothing where no byte does."""
        self._longest = max(map(len, every), default=0)
        self.anchors: Final = [(pattern, _anchor(pattern)) for pattern in every]
        """Each pattern, and where in it the places are that ``engine`` finds."""
        self.engine: Final = _beginning_at(every, _anchor)
        """Finds all patterns, those that overlap too where each search begins behind a place."""

    def first_place(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Return a place inside the first pattern of a stretch, or the stretch's end.

        What is before ``start`` may be part of the pattern.
        """
        begin, stretch = start, _ENGINE_BYTES
        while start < end:
            reached = start
            for number, search in enumerate(self._searches):
                place = search.first_place(data, start, end)
                if place >= 0:
                    if number:
                        self._searches.insert(0, self._searches.pop(number))
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
    """Return the bytes to look for: those that all patterns hold, the rarest first."""
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


# In fewer bytes the engine alone is quicker than a search by one byte before it.
_MIN_BYTES: Final = 4096
_ATOM_LENGTHS_OF_ONE_BYTE: Final = (119, 115)
_ATOM_LENGTHS_OF_TWO_BYTES: Final = (118, 100)


class CompiledMapping:
    """The patterns of a permutation of names; built once when a link's handshake ends.

    ``fun_sizes`` tells whether the receiver checks the Size of a NEW_FUN_EXT, as OTP did until
    release 23.
    """

    def __init__(self, names: Mapping[str, str], *, fun_sizes: bool = True) -> None:
        self.replacements: Final = {
            atom_pattern(old): atom_pattern(new) for old, new in names.items()
        }
        self.may_shrink: Final = fun_sizes and any(
            len(new) < len(old) for old, new in self.replacements.items()
        )
        """Whether the Size of a fun that leaves before its end is known has to be lowered."""
        # The longest suffix that may go on as a name's pattern or as a fun's head.
        self._longest_cut: Final = max(FUN_HEAD_SIZE, *map(len, self.replacements), 0)
        self._search: Final = NameSearch(self.replacements)
        self.first_place: Final = self._search.first_place
        """``NameSearch.first_place`` of these names."""
        self.rare_byte: Final = self._search.rare_byte
        self._may_be_cut: Final = frozenset(b"".join(old[:-1] for old in self.replacements))

    @cached_property
    def token_run(self) -> re.Pattern[bytes]:
        """Matches runs of tokens that are no names; see ``etf_scanner.token_run``."""
        return token_run(self.replacements)

    @cached_property
    def _cut(self) -> re.Pattern[bytes]:
        return cut_at_end(self.replacements, funs=self.may_shrink)

    @cached_property
    def _fun_head(self) -> re.Pattern[bytes]:
        return fun_head()

    def occurs_as_atom(self, data: bytes | bytearray, start: int, end: int) -> bool:
        """Return whether a name stands there behind what may be an atom's tag.

        At the very start the tag may belong to the bytes before, so it counts as one.
        """
        search, at = self._search, start
        if end - start > _MIN_BYTES and search.first_place(data, start, end) == end:
            return False
        while match := search.engine.search(data, at, end):
            place = match.start()
            at = place + 1
            for pattern, anchor in search.anchors:
                begin = place - anchor
                if begin < start or not data.startswith(pattern, begin, end):
                    continue
                if begin < start + 2 or _may_be_atom(data, begin):
                    return True
        return False

    def shrinkable_fun_occurs(self, data: bytes | bytearray, start: int, end: int) -> bool:
        """Return whether there may be a fun whose Size a shorter name could make too large."""
        return self.may_shrink and self._fun_head.search(data, start, end) is not None

    def cut_length(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Return how many bytes at the end may go on as a name, or as a fun whose Size matters."""
        if start == end or (not self.may_shrink and data[end - 1] not in self._may_be_cut):
            return 0
        match = self._cut.search(data, max(start, end - self._longest_cut), end)
        return end - match.start() if match else 0


def _may_be_atom(data: bytes | bytearray, at: int) -> bool:
    before = data[at - 1]
    return before in _ATOM_LENGTHS_OF_ONE_BYTE or (
        before == 0 and data[at - 2] in _ATOM_LENGTHS_OF_TWO_BYTES
    )
