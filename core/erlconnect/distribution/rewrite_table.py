"""What one direction of a link rewrites, with the searches compiled for it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.name_table import atom_pattern
from erlconnect.distribution.term_tokens import cut_at_end, fun_head, token_run

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

# The longest suffix that may go on as a name's pattern or as a fun's head.
_LONGEST_CUT: Final = 256

_ATOM_LENGTHS_OF_ONE_BYTE: Final = (119, 115)
_ATOM_LENGTHS_OF_TWO_BYTES: Final = (118, 100)


class RewriteTable:
    """The patterns of a permutation of names; built once when a link's handshake ends."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.replacements: Final = {
            atom_pattern(old): atom_pattern(new) for old, new in names.items()
        }
        self.patterns: Final = tuple(self.replacements)
        self.may_shrink: Final = any(len(new) < len(old) for old, new in self.replacements.items())

    @cached_property
    def token_run(self) -> re.Pattern[bytes]:
        """Matches runs of tokens that are no names; see ``term_tokens``."""
        return token_run(self.patterns)

    @cached_property
    def _cut(self) -> re.Pattern[bytes]:
        return cut_at_end(self.patterns)

    @cached_property
    def _fun_head(self) -> re.Pattern[bytes]:
        return fun_head()

    def occurs_as_atom(self, data: bytes | bytearray, start: int, end: int) -> bool:
        """Tell whether a name stands there behind what may be an atom's tag.

        At the very start the tag may belong to the bytes before, so it counts as one.
        """
        for pattern in self.patterns:
            at = data.find(pattern, start, end)
            while at >= 0:
                if at < start + 2 or _may_be_atom(data, at):
                    return True
                at = data.find(pattern, at + 1, end)
        return False

    def shrinkable_fun_occurs(self, data: bytes | bytearray, start: int, end: int) -> bool:
        """Tell whether there may be a fun whose Size a shorter name could make too large."""
        return self.may_shrink and self._fun_head.search(data, start, end) is not None

    def cut_length(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Give how many bytes at the end may go on as a name or as a fun's head."""
        match = self._cut.search(data, max(start, end - _LONGEST_CUT), end)
        return end - match.start() if match else 0


class Occurrences:
    """Where names stand in a stretch of a buffer, asked for from front to back.

    Each pattern remembers its next place, so that a name which is nowhere is searched only once.
    """

    __slots__ = ("_data", "_end", "_places")

    def __init__(self, table: RewriteTable, data: bytes | bytearray, start: int, end: int) -> None:
        self._data = data
        self._end = end
        self._places = [(self._find(pattern, start), pattern) for pattern in table.patterns]

    def first_from(self, start: int) -> int:
        """Give the first place at or after ``start``, or the end of the stretch."""
        self._places = [
            (at if at >= start else self._find(pattern, start), pattern)
            for at, pattern in self._places
        ]
        return min((at for at, _ in self._places), default=self._end)

    def _find(self, pattern: bytes, start: int) -> int:
        at = self._data.find(pattern, start, self._end)
        return self._end if at < 0 else at


def _may_be_atom(data: bytes | bytearray, at: int) -> bool:
    before = data[at - 1]
    return before in _ATOM_LENGTHS_OF_ONE_BYTE or (
        before == 0 and data[at - 2] in _ATOM_LENGTHS_OF_TWO_BYTES
    )
