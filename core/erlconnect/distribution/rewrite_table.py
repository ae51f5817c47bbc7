"""What one direction of a link rewrites, with the searches compiled for it."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.name_table import atom_pattern
from erlconnect.distribution.term_tokens import cut_at_end, fun_head, token_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The longest suffix that may go on as a name's pattern or as a fun's head.
_LONGEST_CUT: Final = 256

# A look at one ``@`` costs as much as the engine's search through so many bytes. Where they turn
# out to be more frequent than that, the engine goes on alone.
_LOOK: Final = 700
_TRIES: Final = 4

_ATOM_LENGTHS_OF_ONE_BYTE: Final = (119, 115)
_ATOM_LENGTHS_OF_TWO_BYTES: Final = (118, 100)


class RewriteTable:
    """The patterns of a permutation of names; built once when a link's handshake ends.

    Names are searched for by their ``@``: a byte that is rare in most data, so that one fast look
    tells that a stretch holds no name at all.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self.replacements: Final = {
            atom_pattern(old): atom_pattern(new) for old, new in names.items()
        }
        self.may_shrink: Final = any(len(new) < len(old) for old, new in self.replacements.items())
        self._anchors: Final = [(pattern, _anchor(pattern)) for pattern in self.replacements]
        self._in_all: Final = b"@" if all(b"@" in pattern for pattern in self.replacements) else b""
        self._names: Final = _name_search(self._anchors)

    @cached_property
    def token_run(self) -> re.Pattern[bytes]:
        """Matches runs of tokens that are no names; see ``term_tokens``."""
        return token_run(self.replacements)

    @cached_property
    def _cut(self) -> re.Pattern[bytes]:
        return cut_at_end(self.replacements)

    @cached_property
    def _fun_head(self) -> re.Pattern[bytes]:
        return fun_head()

    def first_place(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Give the first place of a name's ``@`` in a stretch, or its end; it runs for every byte.

        What is before ``start`` counts as part of the name.
        """
        at = data.find(self._in_all, start, end)
        looked = -_TRIES * _LOOK
        while at >= 0 and looked < at - start:
            if self._names.match(data, at, end):
                return at
            looked += _LOOK
            at = data.find(self._in_all, at + 1, end)
        match = self._names.search(data, at, end) if at >= 0 else None
        return match.start() if match else end

    def occurs_as_atom(self, data: bytes | bytearray, start: int, end: int) -> bool:
        """Tell whether a name stands there behind what may be an atom's tag.

        At the very start the tag may belong to the bytes before, so it counts as one.
        """
        at = self.first_place(data, start, end)
        while at < end:
            for pattern, anchor in self._anchors:
                begin = at - anchor
                if begin < start or not data.startswith(pattern, begin, end):
                    continue
                if begin < start + 2 or _may_be_atom(data, begin):
                    return True
            at = self.first_place(data, at + 1, end)
        return False

    def shrinkable_fun_occurs(self, data: bytes | bytearray, start: int, end: int) -> bool:
        """Tell whether there may be a fun whose Size a shorter name could make too large."""
        return self.may_shrink and self._fun_head.search(data, start, end) is not None

    def cut_length(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Give how many bytes at the end may go on as a name or as a fun's head."""
        match = self._cut.search(data, max(start, end - _LONGEST_CUT), end)
        return end - match.start() if match else 0


def _anchor(pattern: bytes) -> int:
    """Give the place in a pattern to search by: the ``@``, or the last byte if there is none."""
    return pattern.rfind(b"@") % len(pattern)


def _name_search(anchors: Sequence[tuple[bytes, int]]) -> re.Pattern[bytes]:
    """Compile a search for any of the patterns that begins to match at its anchor.

    All ways begin with the same byte, the ``@``, for which the engine has a quick loop.
    """
    ways: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for pattern, at in anchors:
        ways[pattern[at:]].append(b"(?<=%b)" % re.escape(pattern))
    searched = [b"%b(?:%b)" % (re.escape(end), b"|".join(whole)) for end, whole in ways.items()]
    return re.compile(b"|".join(searched) if searched else b"(?!)", re.DOTALL)


def _may_be_atom(data: bytes | bytearray, at: int) -> bool:
    before = data[at - 1]
    return before in _ATOM_LENGTHS_OF_ONE_BYTE or (
        before == 0 and data[at - 2] in _ATOM_LENGTHS_OF_TWO_BYTES
    )
