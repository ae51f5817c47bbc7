"""Messages that come in fragments: what has to be remembered between two of them.

Fragments of many messages interleave. Nothing is decided before it must be: while no name turns
up, fragments are forwarded as they come and kept only to find out later, if a name does turn up,
whether the walk stands inside a binary by then.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from erlconnect.distribution.edits import apply_edits, term_edits
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.term_walk import Findings, TermWalk

if TYPE_CHECKING:
    from erlconnect.distribution.rewrite_table import RewriteTable

MAX_UNDECIDED: Final = 32 * 1024 * 1024
MAX_INTERLEAVED: Final = 65536

# A message that is one large binary shows itself this early.
_PROBE: Final = 1024


Data = bytes | bytearray


class Stage(NamedTuple):
    """Where in its message a fragment stands."""

    first: bool
    last: bool


class FragmentedMessage:
    """One message under way: where its walk stands, and what was forwarded but not walked yet."""

    __slots__ = ("_table", "_walk", "carry", "undecided", "undecided_size")

    def __init__(self, table: RewriteTable) -> None:
        self._table = table
        self._walk = TermWalk(table.token_run, table.replacements)
        self.undecided: list[bytes] = []
        self.undecided_size = 0
        self.carry = b""
        """The cut end of the fragment before, to be sent with the next one."""

    @property
    def lost(self) -> bool:
        """Whether the walk met a tag that it does not know."""
        return self._walk.lost

    def opaque_bytes(self) -> int:
        """Give how many of the next bytes are known to hold no name: they are inside a binary."""
        if self.undecided or self.carry:
            return 0
        return sys.maxsize if self._walk.lost else self._walk.skip

    def pass_over(self, size: int) -> None:
        """Note that ``size`` opaque bytes were forwarded."""
        self._walk.skip = max(0, self._walk.skip - size)

    def rewrite(self, data: Data, start: int, end: int, stage: Stage) -> tuple[bytes | None, int]:
        """Rewrite the terms of a fragment, ``data[start:end]``.

        Gives the new bytes, or ``None`` where the old ones may go as they are, and the number of
        names rewritten. The end that is cut goes to ``carry``, never to the result.
        """
        table = self._table
        cut = 0 if stage.last else table.cut_length(data, start, end)
        walked = start
        findings = Findings()
        if stage.first:
            walked = min(start + _PROBE, end - cut)
            self._walk.advance(data, start, walked, findings)
            if self._walk.skip >= end - walked:
                cut = 0
        sent = end - cut
        if self._decided_by_now(data, walked, sent, last=stage.last):
            self.walk_undecided()
            self._walk.advance(data, walked, sent, findings)
        elif not stage.last:
            self._keep(data, walked, sent)
        self.carry = bytes(data[sent:end])
        shrinks = table.may_shrink and not stage.last
        edits = term_edits(data, sent, findings, table.replacements, may_shrink=shrinks)
        if not edits and not cut:
            return None, 0
        return apply_edits(data, start, sent, edits), len(findings.names)

    def _decided_by_now(self, data: Data, start: int, end: int, *, last: bool) -> bool:
        """Tell whether the rest has to be walked, or need not be kept because it is opaque."""
        if not self.undecided and self._walk.skip >= end - start:
            return True
        if self._table.occurs_as_atom(data, start, end):
            return True
        return not last and self._table.shrinkable_fun_occurs(data, start, end)

    def _keep(self, data: Data, start: int, end: int) -> None:
        self.undecided.append(bytes(data[start:end]))
        self.undecided_size += end - start

    def walk_undecided(self) -> None:
        """Catch up with what was forwarded without a walk, and forget it."""
        for piece in self.undecided:
            self._walk.advance(piece, 0, len(piece))
        self.undecided = []
        self.undecided_size = 0


class MessagesUnderWay:
    """All fragmented messages of one direction, with the limits that bound their memory."""

    def __init__(self, table: RewriteTable, *, max_undecided: int = MAX_UNDECIDED) -> None:
        self._table = table
        self._max_undecided = max_undecided
        self._messages: dict[int, FragmentedMessage] = {}
        self._undecided = 0
        self.lost = 0
        """Messages in which a tag came that the walk does not know."""

    def begin(self, sequence: int) -> FragmentedMessage:
        """Start a message; an unfinished one of the same sequence is forgotten."""
        self.end(sequence)
        if len(self._messages) >= MAX_INTERLEAVED:
            raise RemoteProtocolError(f"fragments: more than {MAX_INTERLEAVED} messages at once")
        message = self._messages[sequence] = FragmentedMessage(self._table)
        return message

    def find(self, sequence: int) -> FragmentedMessage:
        """Give the message that a later fragment belongs to."""
        try:
            return self._messages[sequence]
        except KeyError:
            raise RemoteProtocolError("fragments: a later one without a first one") from None

    def end(self, sequence: int) -> None:
        """Forget a message, if there is one."""
        message = self._messages.pop(sequence, None)
        if message:
            self._undecided -= message.undecided_size
            self.lost += message.lost

    def rewrite(
        self, message: FragmentedMessage, data: Data, start: int, end: int, stage: Stage
    ) -> tuple[bytes | None, int]:
        """Do ``message.rewrite`` within the limit on undecided bytes."""
        before = message.undecided_size
        result = message.rewrite(data, start, end, stage)
        self._undecided += message.undecided_size - before
        if self._undecided > self._max_undecided:
            self._undecided -= message.undecided_size
            message.walk_undecided()
        return result
