"""Frames that are fragments: which go as they are, and what becomes of the others.

Large messages are nearly all of the bytes of a busy link, so fragments that stand in a row are
taken together where that is possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.distribution.edits import Edit, apply_edits, header_edits
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.fragment_runs import fragment_head, fragments_between
from erlconnect.distribution.fragmented_message import Stage
from erlconnect.distribution.frame_kinds import (
    FIRST_FRAGMENT,
    FRAGMENT_HEAD_SIZE,
    LENGTH_SIZE,
    framed,
)
from erlconnect.distribution.messages_under_way import MessagesUnderWay

if TYPE_CHECKING:
    from erlconnect.distribution.fragmented_message import FragmentedMessage
    from erlconnect.distribution.rewrite_table import RewriteTable
    from erlconnect.distribution.undecided import KeptBuffers

_STAGES: Final = {
    (first, last): Stage(first=first, last=last)
    for first in (True, False)
    for last in (True, False)
}


class FragmentFrames:
    """Rewrites the fragments of one direction. The counters only grow."""

    def __init__(self, table: RewriteTable) -> None:
        self._table = table
        self._messages = MessagesUnderWay(table)
        self.frames = 0
        self.rewritten = 0
        self.to_pass = 0
        """Bytes of the last fragment that are still to come, and go as they are."""

    @property
    def lost(self) -> int:
        """Messages in which a tag came that the walk does not know."""
        return self._messages.lost

    @property
    def kept(self) -> KeptBuffers:
        """The buffers that must not change, because bytes in them may have to be walked yet."""
        return self._messages.kept

    def take(
        self, buffer: bytearray, position: int, after: int, end: int
    ) -> tuple[int, bytes | None]:
        """Take a fragment that ends at ``after``, or several, from ``buffer[position:end]``.

        Gives where the rest begins, and the frame that the fragment becomes. With ``None`` what was
        taken goes as it is.
        """
        terms = position + FRAGMENT_HEAD_SIZE
        if terms > after:
            raise RemoteProtocolError("fragment: it ends inside its head")
        if terms > end:
            return position, None
        _, kind, sequence, number = fragment_head(buffer, position)
        first, last, whole = kind == FIRST_FRAGMENT, number == 1, after <= end
        if first and not whole:
            return position, None
        message = self._messages.begin(sequence) if first else self._messages.find(sequence)
        if whole and not (first or last):
            if passed := self._pass_row(buffer, position, end, message, sequence):
                return passed, None
        elif not first and message.pass_over(after - terms):
            self.to_pass = max(0, after - end)
            self._count(sequence, last=last)
            return min(after, end), None
        if not whole:
            return position, None
        frame = self._rewrite(buffer, position, after, message, _STAGES[first, last])
        self._count(sequence, last=last)
        return after, frame

    def _pass_row(
        self,
        buffer: bytearray,
        position: int,
        end: int,
        message: FragmentedMessage,
        sequence: int,
    ) -> int:
        """Pass fragments in a row that go as they are; give where they end, 0 where none does."""
        pieces = fragments_between(buffer, position, end, sequence)
        count = self._messages.pass_row(message, buffer, pieces)
        self.frames += count
        return pieces[count - 1][1] if count else 0

    def _count(self, sequence: int, *, last: bool) -> None:
        self.frames += 1
        if last:
            self._messages.end(sequence)

    def _rewrite(
        self, buffer: bytearray, position: int, end: int, message: FragmentedMessage, stage: Stage
    ) -> bytes | None:
        terms = position + FRAGMENT_HEAD_SIZE
        edits: list[Edit] = []
        if stage.first:
            terms, edits = header_edits(buffer, terms, end, self._table.replacements)
        carry = message.carry
        data = carry + buffer[terms:end] if carry else buffer
        first, last = (0, len(data)) if carry else (terms, end)
        text, count = self._messages.rewrite(message, data, first, last, stage)
        self.rewritten += len(edits) + count
        if text is None and (carry or edits):
            text = bytes(data[first:last])
        if text is None:
            return None
        head = apply_edits(buffer, position + LENGTH_SIZE, terms, edits)
        return framed(head + text)
