"""One direction of a link after the handshake: frames in, frames with other names out.

``process`` is a plain function over a buffer, because it runs for every byte: it walks the length
prefixes, searches each run of whole frames once, and touches only frames in which a name stands.
All else is given back as the bytes that came. What frames there are stands in ``frame_kinds``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.edits import Edit, apply_edits, header_edits
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.fragments import MessagesUnderWay, Stage
from erlconnect.distribution.frame_kinds import (
    FIRST_FRAGMENT,
    FRAGMENT_HEAD_SIZE,
    FRAGMENTS,
    HEAD_SIZE,
    LENGTH_SIZE,
    WHOLE,
    check_frame,
)
from erlconnect.distribution.frame_runs import whole_messages
from erlconnect.distribution.whole_frames import WholeFrames

if TYPE_CHECKING:
    from erlconnect.distribution.fragments import FragmentedMessage
    from erlconnect.distribution.rewrite_table import RewriteTable

DEFAULT_MAX_FRAME: Final = 256 * 1024 * 1024
# No call and no answer that is longer is in such a hurry.
_SMALL: Final = 1024
_STAGES: Final = {
    (first, last): Stage(first=first, last=last)
    for first in (True, False)
    for last in (True, False)
}
_length_and_kind = struct.Struct(">IH").unpack_from
_length = struct.Struct(">I").unpack_from
_sequence_and_number = struct.Struct(">QQ").unpack_from

Segment = bytes | memoryview


class Rewriter:
    """The state of one direction. The counters only grow."""

    def __init__(self, table: RewriteTable, *, max_frame: int = DEFAULT_MAX_FRAME) -> None:
        self._table = table
        self._rare = table.rare_byte
        self._max_frame = max_frame
        self._whole = WholeFrames(table)
        self._messages = MessagesUnderWay(table)
        self._pass = 0
        self._clean_from = 0
        self._segments: list[Segment] = []
        self._rewritten = 0
        self.frames = 0

    @property
    def rewritten(self) -> int:
        """Names that became others."""
        return self._rewritten + self._whole.rewritten

    @property
    def walked(self) -> int:
        """Whole frames whose terms had to be walked."""
        return self._whole.walked

    @property
    def lost(self) -> int:
        """Messages with a tag that the walk does not know; forwarded as they came from there on."""
        return self._messages.lost + self._whole.lost

    def passes(self, buffer: bytearray, end: int) -> bool:
        """Take one small message without a name, which is to be sent as it is.

        False where anything else may be in ``buffer[:end]``, which is for ``process`` then. A call
        and its answer are such messages, and between two of them the processor's caches have
        forgotten the code: the less of it runs, the sooner they arrive.
        """
        if not HEAD_SIZE <= end < _SMALL or self._pass:
            return False
        length, kind = _length_and_kind(buffer)
        if kind != WHOLE or LENGTH_SIZE + length != end or buffer.find(self._rare, 0, end) >= 0:
            return False
        self.frames += 1
        return True

    def process(self, buffer: bytearray, start: int, end: int) -> tuple[int, list[Segment]]:
        """Take what is in ``buffer[start:end]``; give where the rest begins, and what to send.

        The rest is the beginning of a frame that is not all there. Segments are views of
        ``buffer``, valid until it changes. Raises ``RemoteProtocolError``, after which the
        conversation is over.
        """
        self._segments = []
        self._clean_from = start
        passed = min(self._pass, end - start)
        self._pass -= passed
        position = self._frames_of(buffer, start + passed, end)
        self._emit_clean(buffer, position)
        return position, self._segments

    def _frames_of(self, buffer: bytearray, position: int, end: int) -> int:
        run = position
        frames = 0
        last_head = end - HEAD_SIZE
        while position <= last_head:
            length, kind = _length_and_kind(buffer, position)
            after = position + LENGTH_SIZE + length
            if kind == WHOLE and after <= end:
                position, count = whole_messages(buffer, position, end)
                frames += count
            elif not length:
                frames += 1
                position = after
            elif kind in FRAGMENTS and length <= self._max_frame:
                if run < position:
                    self._rewrite_run(buffer, run, position)
                position = run = self._fragment(buffer, kind, position, after, end)
                if after > end:
                    break
            else:
                check_frame(length, kind, self._max_frame)
                if after > end:
                    break
                frames += 1
                position = after
        if end - position in (4, 5) and not _length(buffer, position)[0]:
            frames += 1
            position += LENGTH_SIZE
        self.frames += frames
        self._rewrite_run(buffer, run, position)
        return position

    def _rewrite_run(self, buffer: bytearray, position: int, end: int) -> None:
        """Rewrite the whole frames of a run, nearly all of which hold no name."""
        nearest = self._table.first_place(buffer, position, end)
        while nearest < end:
            after = position + LENGTH_SIZE + _length(buffer, position)[0]
            if nearest < after:
                text = self._whole.rewrite(buffer, position, after, nearest)
                if text is not None:
                    self._replace(buffer, position, after, text)
                nearest = self._table.first_place(buffer, after, end)
            position = after

    def _fragment(self, buffer: bytearray, kind: int, position: int, after: int, end: int) -> int:
        """Handle one fragment, or the part of it that is there; give where the rest begins."""
        terms = position + FRAGMENT_HEAD_SIZE
        if terms > after:
            raise RemoteProtocolError("fragment: it ends inside its head")
        if terms > end:
            return position
        sequence, number = _sequence_and_number(buffer, position + HEAD_SIZE)
        first = kind == FIRST_FRAGMENT
        if first and after > end:
            return position
        message = self._messages.begin(sequence) if first else self._messages.find(sequence)
        if not first and message.pass_over(after - terms):
            self._pass = max(0, after - end)
        elif after > end:
            return position
        else:
            self._rewrite_fragment(buffer, position, after, message, _STAGES[first, number == 1])
        self.frames += 1
        if number == 1:
            self._messages.end(sequence)
        return min(after, end)

    def _rewrite_fragment(
        self, buffer: bytearray, position: int, end: int, message: FragmentedMessage, stage: Stage
    ) -> None:
        terms = position + FRAGMENT_HEAD_SIZE
        edits: list[Edit] = []
        if stage.first:
            terms, edits = header_edits(buffer, terms, end, self._table.replacements)
        carry = message.carry
        data = carry + buffer[terms:end] if carry else buffer
        first, last = (0, len(data)) if carry else (terms, end)
        text, count = self._messages.rewrite(message, data, first, last, stage)
        self._rewritten += len(edits) + count
        if text is None and (carry or edits):
            text = bytes(data[first:last])
        if text is not None:
            head = apply_edits(buffer, position + LENGTH_SIZE, terms, edits)
            self._replace(buffer, position, end, head + text)

    def _replace(self, buffer: bytearray, position: int, end: int, body: bytes) -> None:
        self._emit_clean(buffer, position)
        self._segments.append(len(body).to_bytes(LENGTH_SIZE) + body)
        self._clean_from = end

    def _emit_clean(self, buffer: bytearray, end: int) -> None:
        if end > self._clean_from:
            self._segments.append(memoryview(buffer)[self._clean_from : end])
