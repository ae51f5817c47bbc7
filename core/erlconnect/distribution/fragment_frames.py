"""Frames that are fragments: which go as they are, and what becomes of the others.

Large messages are nearly all of the bytes of a busy link, so fragments that stand in a row are
taken together where that is possible.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.edits import Edit, apply_edits, header_edits
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.fragment_runs import fragments_between
from erlconnect.distribution.fragmented_message import Stage
from erlconnect.distribution.frame_kinds import (
    FIRST_FRAGMENT,
    FRAGMENT_HEAD_SIZE,
    LENGTH_SIZE,
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
_head = struct.Struct(">IHQQ").unpack_from


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
        _, kind, sequence, number = _head(buffer, position)
        first, last = kind == FIRST_FRAGMENT, number == 1
        if not first:
            passed = self._pass(buffer, position, after, end)
            if passed > position:
                return passed, None
        if after > end:
            return position, None
        message = self._messages.begin(sequence) if first else self._messages.find(sequence)
        frame = self._rewrite(buffer, position, after, message, _STAGES[first, last])
        self._count(sequence, 1, last=last)
        return after, frame

    def _pass(self, buffer: bytearray, position: int, after: int, end: int) -> int:
        """Pass later fragments of one message in a row that go as they are; give where they end."""
        _, _, sequence, number = _head(buffer, position)
        message = self._messages.find(sequence)
        if number > 1 and after <= end:
            pieces = fragments_between(buffer, position, end, sequence)
            count = self._messages.pass_row(message, buffer, pieces)
            self._count(sequence, count, last=False)
            return pieces[count - 1][1] if count else position
        if not message.pass_over(after - position - FRAGMENT_HEAD_SIZE):
            return position
        self.to_pass = max(0, after - end)
        self._count(sequence, 1, last=number == 1)
        return min(after, end)

    def _count(self, sequence: int, frames: int, *, last: bool) -> None:
        self.frames += frames
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
        return (len(head) + len(text)).to_bytes(LENGTH_SIZE) + head + text
