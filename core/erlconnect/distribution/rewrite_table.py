"""What one direction of a link rewrites, with the searches compiled for it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.name_search import NameSearch
from erlconnect.distribution.name_table import atom_pattern
from erlconnect.distribution.term_tokens import FUN_HEAD_SIZE, cut_at_end, fun_head, token_run

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

# In fewer bytes the engine alone is quicker than a look before it.
_MUCH: Final = 4096

_ATOM_LENGTHS_OF_ONE_BYTE: Final = (119, 115)
_ATOM_LENGTHS_OF_TWO_BYTES: Final = (118, 100)


class RewriteTable:
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
        """Gives a place inside the first name of a stretch; see ``NameSearch``."""
        self.rare_byte: Final = self._search.rare_byte
        self._may_be_cut: Final = frozenset(b"".join(old[:-1] for old in self.replacements))

    @cached_property
    def token_run(self) -> re.Pattern[bytes]:
        """Matches runs of tokens that are no names; see ``term_tokens``."""
        return token_run(self.replacements)

    @cached_property
    def _cut(self) -> re.Pattern[bytes]:
        return cut_at_end(self.replacements, funs=self.may_shrink)

    @cached_property
    def _fun_head(self) -> re.Pattern[bytes]:
        return fun_head()

    def occurs_as_atom(self, data: bytes | bytearray, start: int, end: int) -> bool:
        """Tell whether a name stands there behind what may be an atom's tag.

        At the very start the tag may belong to the bytes before, so it counts as one.
        """
        search, at = self._search, start
        if end - start > _MUCH and search.first_place(data, start, end) == end:
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
        """Tell whether there may be a fun whose Size a shorter name could make too large."""
        return self.may_shrink and self._fun_head.search(data, start, end) is not None

    def cut_length(self, data: bytes | bytearray, start: int, end: int) -> int:
        """Give how many bytes at the end may go on as a name, or as a fun whose Size matters."""
        if start == end or (not self.may_shrink and data[end - 1] not in self._may_be_cut):
            return 0
        match = self._cut.search(data, max(start, end - self._longest_cut), end)
        return end - match.start() if match else 0


def _may_be_atom(data: bytes | bytearray, at: int) -> bool:
    before = data[at - 1]
    return before in _ATOM_LENGTHS_OF_ONE_BYTE or (
        before == 0 and data[at - 2] in _ATOM_LENGTHS_OF_TWO_BYTES
    )
