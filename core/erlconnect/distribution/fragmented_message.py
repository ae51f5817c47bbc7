"""One message that comes in fragments: what has to be remembered between two of them.

Nothing is decided before it must be: while no name turns up, fragments are forwarded as they come
and kept only to find out later, if a name does turn up, whether the walk stands inside a binary by
then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from erlconnect.distribution.edits import apply_edits, term_edits
from erlconnect.distribution.name_table import LONGEST_PATTERN
from erlconnect.distribution.term_walk import Findings, TermWalk
from erlconnect.distribution.undecided import KeptBuffers, UndecidedBytes

if TYPE_CHECKING:
    from erlconnect.distribution.fragment_runs import Piece
    from erlconnect.distribution.rewrite_table import RewriteTable
    from erlconnect.distribution.undecided import Data

# A message that is one large binary shows itself this early.
_PROBE: Final = 1024

# A first fragment below this size is walked whole. OTP sends none; in one from elsewhere even a
# long control term may reach to its end.
_SHORT: Final = 16384


class Stage(NamedTuple):
    """Where in its message a fragment stands."""

    first: bool
    last: bool


class FragmentedMessage:
    """One message under way: where its walk stands, and what was forwarded but not walked yet."""

    __slots__ = ("_table", "_undecided", "_walk", "carry")

    def __init__(self, table: RewriteTable, buffers: KeptBuffers) -> None:
        self._table = table
        self._walk = TermWalk(table.token_run, table.replacements)
        self._undecided = UndecidedBytes(buffers)
        self.carry = b""
        """The cut end of the fragment before, to be sent with the next one."""

    @property
    def lost(self) -> bool:
        """Whether the walk met a tag that it does not know."""
        return self._walk.lost

    def pass_over(self, size: int) -> bool:
        """Tell whether the next ``size`` bytes may go as they are; if so, count them as gone.

        They may where nothing was cut off before them and they are inside a binary.
        """
        if self.carry or not self._opaque(size):
            return False
        self._walk.skip = max(0, self._walk.skip - size)
        return True

    def pass_row(self, data: Data, pieces: list[Piece]) -> int:
        """Do what ``pass_over`` does for fragments that stand in a row; give how many may go.

        They may, too, where no name is in them. What stands between them holds none.
        """
        count = 0
        while count < len(pieces) and self.pass_over(pieces[count][1] - pieces[count][0]):
            count += 1
        return count or self._pass_unnamed(data, pieces)

    def _pass_unnamed(self, data: Data, pieces: list[Piece]) -> int:
        table = self._table
        if self.carry or table.may_shrink:
            return 0
        last = pieces[-1][1]
        clear = table.first_place(data, pieces[0][0], last)
        if clear < last:
            clear -= LONGEST_PATTERN
        count = 0
        while count < len(pieces):
            start, end = pieces[count]
            if end > clear or table.cut_length(data, start, end):
                break
            count += 1
        self._undecided.keep(data, pieces[:count])
        return count

    def _opaque(self, size: int) -> bool:
        return not self._undecided and self._walk.opaque >= size

    def rewrite(self, data: Data, start: int, end: int, stage: Stage) -> tuple[bytes | None, int]:
        """Rewrite the terms of a fragment, ``data[start:end]``.

        Gives the new bytes, or ``None`` where the old ones may go as they are, and the number of
        names rewritten. The end that is cut goes to ``carry``, never to the result.
        """
        table = self._table
        findings = Findings()
        walked = self._probe(data, start, end, findings) if stage.first else start
        sent = end
        if self._decided_by_now(data, walked, end, last=stage.last):
            self.walk_undecided()
            self._walk.advance(data, walked, end, findings)
            sent -= 0 if stage.last else self._walk.give_back(end - walked)
        elif not stage.last:
            sent -= table.cut_length(data, walked, end)
            self._undecided.keep(data, [(walked, sent)])
        self.carry = bytes(data[sent:end])
        if findings.funs:
            # The head of one that begins before has left.
            findings.funs = [fun for fun in findings.funs if fun[0] >= start]
        shrinks = table.may_shrink and not stage.last
        edits = term_edits(data, sent, findings, table.replacements, may_shrink=shrinks)
        if not edits and sent == end:
            return None, 0
        return apply_edits(data, start, sent, edits), len(findings.names)

    def _probe(self, data: Data, start: int, end: int, findings: Findings) -> int:
        """Walk the beginning of a message, token by whole token; give where that ended.

        Nothing before it is cut: the control term has to stay whole in its fragment.
        """
        probed = end if end - start < _SHORT else start + _PROBE
        self._walk.advance(data, start, probed, findings)
        return probed - self._walk.give_back(probed - start)

    def _decided_by_now(self, data: Data, start: int, end: int, *, last: bool) -> bool:
        """Tell whether to walk on, because something was found or nothing is left to walk."""
        if self._opaque(end - start):
            return True
        if self._table.occurs_as_atom(data, start, end):
            return True
        return not last and self._table.shrinkable_fun_occurs(data, start, end)

    def walk_undecided(self) -> None:
        """Catch up with what was forwarded without a walk, and forget it."""
        for data, start, end in self._undecided:
            self._walk.advance(data, start, end)
        self._undecided.forget()

    def forget_undecided(self) -> None:
        """Let go of it: the message is over."""
        self._undecided.forget()
