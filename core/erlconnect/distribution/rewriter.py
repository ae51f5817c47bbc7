"""One direction of a link after the handshake: frames in, frames with other names out.

``process`` is a plain function over a buffer, because it runs for every byte: it walks the length
prefixes, searches each run of whole frames once, and touches only frames in which a name stands.
All else is given back as the bytes that came. What frames there are stands in ``frame_kinds``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.fragment_frames import FragmentFrames
from erlconnect.distribution.frame_kinds import (
    FRAGMENTS,
    HEAD_SIZE,
    LENGTH_SIZE,
    WHOLE,
    check_frame,
)
from erlconnect.distribution.frame_runs import whole_messages
from erlconnect.distribution.whole_frames import WholeFrames

if TYPE_CHECKING:
    from erlconnect.distribution.rewrite_table import RewriteTable

DEFAULT_MAX_FRAME: Final = 256 * 1024 * 1024
# No call and no answer that is longer is in such a hurry.
_SMALL: Final = 1024
_length_and_kind = struct.Struct(">IH").unpack_from
_length = struct.Struct(">I").unpack_from

Segment = bytes | memoryview


class Rewriter:
    """The state of one direction. The counters only grow."""

    def __init__(self, table: RewriteTable, *, max_frame: int = DEFAULT_MAX_FRAME) -> None:
        self._table = table
        self._rare = table.rare_byte
        self._max_frame = max_frame
        self._whole = WholeFrames(table)
        self._fragments = FragmentFrames(table)
        self._clean_from = 0
        self._segments: list[Segment] = []
        self._frames = 0

    @property
    def frames(self) -> int:
        """Frames of every kind, ticks too."""
        return self._frames + self._fragments.frames

    @property
    def rewritten(self) -> int:
        """Names that became others."""
        return self._fragments.rewritten + self._whole.rewritten

    @property
    def walked(self) -> int:
        """Whole frames whose terms had to be walked."""
        return self._whole.walked

    @property
    def lost(self) -> int:
        """Messages with a tag that the walk does not know; forwarded as they came from there on."""
        return self._fragments.lost + self._whole.lost

    def keeps(self, buffer: bytearray) -> bool:
        """Tell whether ``buffer`` must not change any more; then ``exchange`` gives another."""
        return buffer in self._fragments.kept

    def exchange(self, buffer: bytearray) -> bytearray:
        """Give a buffer of the size of one that it keeps."""
        return self._fragments.kept.exchange(buffer)

    def passes(self, buffer: bytearray, end: int) -> bool:
        """Take one small message without a name, which is to be sent as it is.

        False where anything else may be in ``buffer[:end]``, which is for ``process`` then. A call
        and its answer are such messages, and between two of them the processor's caches have
        forgotten the code: the less of it runs, the sooner they arrive.
        """
        if not HEAD_SIZE <= end < _SMALL or self._fragments.to_pass:
            return False
        length, kind = _length_and_kind(buffer)
        if kind != WHOLE or LENGTH_SIZE + length != end or buffer.find(self._rare, 0, end) >= 0:
            return False
        self._frames += 1
        return True

    def process(self, buffer: bytearray, start: int, end: int) -> tuple[int, list[Segment]]:
        """Take what is in ``buffer[start:end]``; give where the rest begins, and what to send.

        The rest is the beginning of a frame that is not all there. Segments are views of
        ``buffer``, valid until it changes. Raises ``RemoteProtocolError``, after which the
        conversation is over.
        """
        self._segments = []
        self._clean_from = start
        fragments = self._fragments
        passed = min(fragments.to_pass, end - start)
        fragments.to_pass -= passed
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
                position = run = self._fragment(buffer, run, position, after, end)
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
        self._frames += frames
        if run < position:
            self._rewrite_run(buffer, run, position)
        return position

    def _rewrite_run(self, buffer: bytearray, position: int, end: int) -> None:
        """Rewrite the whole frames of a run, nearly all of which hold no name."""
        first_place = self._table.first_place
        nearest = first_place(buffer, position, end)
        while nearest < end:
            after = position + LENGTH_SIZE + _length(buffer, position)[0]
            if nearest < after:
                frame = self._whole.rewrite(buffer, position, after, nearest)
                if frame is not None:
                    self._replace(buffer, position, after, frame)
                nearest = first_place(buffer, after, end)
            position = after

    def _fragment(self, buffer: bytearray, run: int, position: int, after: int, end: int) -> int:
        """Take a fragment, or several, behind a run of other frames; give where the rest begins."""
        if run < position:
            self._rewrite_run(buffer, run, position)
        rest, frame = self._fragments.take(buffer, position, after, end)
        if frame is not None:
            self._replace(buffer, position, after, frame)
        return rest

    def _replace(self, buffer: bytearray, position: int, end: int, frame: bytes) -> None:
        self._emit_clean(buffer, position)
        self._segments.append(frame)
        self._clean_from = end

    def _emit_clean(self, buffer: bytearray, end: int) -> None:
        if end > self._clean_from:
            self._segments.append(memoryview(buffer)[self._clean_from : end])
