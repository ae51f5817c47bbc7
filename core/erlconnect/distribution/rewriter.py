"""One direction of a link after the handshake: frames in, frames with other names out.

``Rewriter.process`` is a plain function over a buffer, because it runs for every byte. It walks the
length prefixes of the frames (``frames``), searches each run of whole frames once for names
(``name_mapping``), and changes only frames in which a name stands. All else is returned as the
bytes that came. Fragments of large messages are the part of ``fragments``.

In an unfragmented frame a name is mostly a new entry of the distribution header, or not an atom at
all. Only where it may be an atom in the terms are those scanned (``UnfragmentedFrames``). Messages
of one kind begin alike, so a beginning that was scanned once is skipped in the next frame
(``PrefixCache``).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, Protocol

from erlconnect.distribution.edits import (
    Splice,
    apply_splices,
    header_splices,
    name_splices,
    term_splices,
)
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf_scanner import EtfScanner, ScanResult, scan_frequent
from erlconnect.distribution.fragments import FragmentFrames
from erlconnect.distribution.frames import (
    DIST_HEADER,
    FRAG_HEADER,
    FRAGMENT_HEAD_SIZE,
    FRAGMENT_TYPES,
    HEAD_SIZE,
    LENGTH_SIZE,
    PASS_THROUGH,
    check_frame,
    fragment_head,
    framed,
    skip_unfragmented,
)
from erlconnect.distribution.name_mapping import LONGEST_PATTERN

if TYPE_CHECKING:
    from erlconnect.distribution.name_mapping import CompiledMapping

# So many bytes tell the kinds of messages apart: the number of atom cache references, their flags
# and their indices.
_KIND: Final = 32
# When so many kinds are known, all are forgotten.
_MOST_KINDS: Final = 64
# No longer prefix is remembered.
_LONGEST: Final = 4096


class PrefixCache:
    """Remembers how unfragmented frames of one direction begin, up to the end of a token.

    A prefix that is remembered has no name in it, so it need not be scanned again.
    """

    def __init__(self, table: CompiledMapping) -> None:
        self._table = table
        self._known: dict[bytes, bytes] = {}

    def skip(self, buffer: bytearray, start: int, end: int) -> int:
        """Return where the known beginning of a frame ends, ``start`` if there is none.

        ``start`` is where its distribution header begins, ``end`` where the frame ends.
        """
        known = self._known.get(bytes(buffer[start : start + _KIND]))
        if known and buffer.startswith(known, start, end):
            return start + len(known)
        return start

    def learn(self, buffer: bytearray, start: int, terms: int, end: int) -> None:
        """Remember how a frame begins whose tokens from ``terms`` to ``end`` hold no name.

        A prefix known for this kind is cut to what it has in common with this frame.
        """
        kind = bytes(buffer[start : start + _KIND])
        known = self._known.get(kind)
        # Frames of this kind have no common prefix: looking again would cost time in each frame.
        if known == b"":
            return
        beginning = bytes(buffer[start : min(end, start + _LONGEST)])
        shared = len(beginning) if known is None else _shared_length(known, beginning)
        # The prefix has to end between two tokens, because a scan starts at the end of it.
        border = terms
        run = self._table.token_run
        if start + shared > terms and (match := run.match(buffer, terms, start + shared)):
            border = match.end()
        if len(self._known) >= _MOST_KINDS:
            self._known.clear()
        self._known[kind] = beginning[: border - start] if border > terms else b""


def _shared_length(one: bytes, other: bytes) -> int:
    """Return how many bytes are the same at the beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class UnfragmentedFrames:
    """Rewrites frames of one direction. The counters only grow."""

    def __init__(self, table: CompiledMapping) -> None:
        self._table = table
        self._prefixes = PrefixCache(table)
        self.rewritten = 0
        self.scanned = 0
        """Frames whose terms had to be scanned."""
        self.unparseable = 0
        """Frames with a tag that the scan does not know; forwarded as they came from there on."""

    def rewrite(self, buffer: bytearray, position: int, end: int, nearest: int) -> bytes | None:
        """Return the frame ``buffer[position:end]`` with other names, ``None`` where it stays.

        ``nearest`` is a place in the first text of a name that may stand in it.
        """
        body = position + LENGTH_SIZE
        if body == end:
            return None
        if buffer[body] == PASS_THROUGH:
            splices = self._atom_splices(buffer, body + 1, end, nearest)
        else:
            splices = self._header_splices(buffer, body + 2, end, nearest)
        return framed(apply_splices(buffer, body, end, splices)) if splices else None

    def _header_splices(
        self, buffer: bytearray, header: int, end: int, nearest: int
    ) -> list[Splice]:
        terms = self._prefixes.skip(buffer, header, end)
        if terms > header:
            return self._term_splices(buffer, terms, end)
        terms, splices = header_splices(buffer, header, end, self._table.replacements)
        self.rewritten += len(splices)
        found = self._atom_splices(buffer, terms, end, nearest)
        if found and not splices:
            # The tag of an atom and the first byte of its length.
            self._prefixes.learn(buffer, header, terms, found[0][0] - 2)
        return splices + found

    def _atom_splices(self, buffer: bytearray, terms: int, end: int, nearest: int) -> list[Splice]:
        if not self._table.occurs_as_atom(buffer, max(terms, nearest - LONGEST_PATTERN), end):
            return []
        # Only a candidate: the bytes may lie inside a binary, which the scan finds out.
        return self._term_splices(buffer, terms, end)

    def _term_splices(self, buffer: bytearray, start: int, end: int) -> list[Splice]:
        self.scanned += 1
        names: list[int] = []
        at = scan_frequent(self._table.token_run, buffer, start, end, names)
        if at == end:
            self.rewritten += len(names)
            return name_splices(buffer, names, self._table.replacements)
        scan = EtfScanner(self._table.token_run, self._table.replacements)
        result = ScanResult(names)
        scan.advance(buffer, at, end, result)
        self.unparseable += scan.unparseable
        # After an unknown tag the scan knows no more where terms end, so nothing is judged.
        if not (scan.between_terms or scan.unparseable):
            raise RemoteProtocolError("term: it ends beyond its frame")
        self.rewritten += len(result.names)
        return term_splices(buffer, end, result, self._table.replacements, may_shrink=True)


DEFAULT_MAX_FRAME: Final = 256 * 1024 * 1024
# The short way is for small messages, such as calls and answers, whose latency counts.
_SMALL: Final = 1024
_length_and_kind = struct.Struct(">IH").unpack_from
_length = struct.Struct(">I").unpack_from
Segment = bytes | memoryview


class Verdict(Protocol):
    """The decision of a guard about a frame."""

    @property
    def frame(self) -> bytes | None:
        """The frame to forward instead; empty to forward none, ``None`` to forward it as it is."""

    @property
    def answer(self) -> bytes | None:
        """A frame to send back to its sender, or ``None``."""


class Guard(Protocol):
    """Decides which messages of a direction pass. It gets frames before their names are changed.

    The implementation is in ``guard.frame_guard``.
    """

    def passes(self, buffer: bytearray, position: int, end: int) -> bool:
        """Return whether the whole message in ``buffer[position:end]`` is of no interest."""

    def first_of_interest(self, buffer: bytearray, position: int, end: int) -> int:
        """Return where the first whole frame begins that has to be examined."""

    def examine(self, buffer: bytearray, position: int, after: int) -> Verdict:
        """Decide about a frame, which may be a first fragment."""

    def drops(self, sequence: int, *, last: bool) -> bool:
        """Return whether a later fragment belongs to a message that was refused."""

    @property
    def dropped(self) -> set[int]:
        """The sequences of messages that were refused and whose fragments go on to come."""


class Rewriter:
    """The state of one direction. The counters only grow."""

    def __init__(
        self,
        table: CompiledMapping,
        *,
        max_frame: int = DEFAULT_MAX_FRAME,
        guard: Guard | None = None,
    ) -> None:
        self._table = table
        self._guard = guard
        self.answers: list[bytes] = []
        """Frames to send back to senders of refused messages; the caller clears the list."""
        self._rare = table.rare_byte
        self._max_frame = max_frame
        self._whole = UnfragmentedFrames(table)
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
        """The number of names that were replaced."""
        return self._fragments.rewritten + self._whole.rewritten

    @property
    def scanned(self) -> int:
        """Unfragmented frames whose terms had to be scanned."""
        return self._whole.scanned

    @property
    def unparseable(self) -> int:
        """Messages with a tag that the scan does not know; forwarded as they came from there on."""
        return self._fragments.unparseable + self._whole.unparseable

    @property
    def inside_frame(self) -> bool:
        """Whether the last segment ends inside a frame, whose rest is still to be received."""
        return self._fragments.to_pass > 0

    def pins_buffer(self, buffer: bytearray) -> bool:
        """Return whether ``buffer`` must not change now; see the contract in ``fragments``."""
        return buffer in self._fragments.pinned

    def swap_buffer(self, buffer: bytearray) -> bytearray:
        """Return another buffer of the size of a pinned one."""
        return self._fragments.pinned.swap(buffer)

    def passes(self, buffer: bytearray, end: int) -> bool:
        """Take one small message without a name, which is to be sent as it is.

        Return false where anything else may be in ``buffer[:end]``, which is for ``process``
        then. A call and its answer are such messages. This way has to be short: between two calls
        the processor's caches have lost the code, so each line of it costs latency.
        """
        if not HEAD_SIZE <= end < _SMALL or self._fragments.to_pass:
            return False
        length, kind = _length_and_kind(buffer)
        if (
            kind != DIST_HEADER
            or LENGTH_SIZE + length != end
            or buffer.find(self._rare, 0, end) >= 0
        ):
            return False
        if self._guard is not None and not self._guard.passes(buffer, 0, end):
            return False
        self._frames += 1
        return True

    def process(self, buffer: bytearray, start: int, end: int) -> tuple[int, list[Segment]]:
        """Take what is in ``buffer[start:end]``; return where the rest begins, and what to send.

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
            if kind == DIST_HEADER and after <= end:
                position, count = skip_unfragmented(buffer, position, end)
                frames += count
            elif not length:
                frames += 1
                position = after
            elif kind in FRAGMENT_TYPES and length <= self._max_frame:
                position = run = self._fragment(buffer, run, position, after, end)
                if after > end:
                    break
            else:
                check_frame(length, kind, self._max_frame)
                if after > end:
                    break
                frames += 1
                position = after
        # A tick at the end is shorter than HEAD_SIZE, so the loop above did not see it. Held back
        # until the next frame, it would come too late for the peer's net_ticktime.
        if end - position in (4, 5) and not _length(buffer, position)[0]:
            frames += 1
            position += LENGTH_SIZE
        self._frames += frames
        if run < position:
            self._rewrite_run(buffer, run, position)
        return position

    def _rewrite_run(self, buffer: bytearray, position: int, end: int) -> None:
        """Let the guard see the whole frames of a run, and rewrite those that pass."""
        guard = self._guard
        while guard is not None and position < end:
            at = guard.first_of_interest(buffer, position, end)
            if at > position:
                self._rewrite_names(buffer, position, at)
            if at == end:
                return
            position = at + LENGTH_SIZE + _length(buffer, at)[0]
            frame = self._examined(guard, buffer, at, position)
            if frame is None:
                self._rewrite_names(buffer, at, position)
            else:
                self._replace(buffer, at, position, self._with_names(frame))
        if position < end:
            self._rewrite_names(buffer, position, end)

    def _with_names(self, frame: bytes) -> bytes:
        """Return a whole frame that the guard made, with other names."""
        nearest = self._table.first_place(frame, 0, len(frame))
        if nearest == len(frame):
            return frame
        return self._whole.rewrite(bytearray(frame), 0, len(frame), nearest) or frame

    def _rewrite_names(self, buffer: bytearray, position: int, end: int) -> None:
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
        """Take one or several fragments behind a run of other frames; return where the rest is."""
        if run < position:
            self._rewrite_run(buffer, run, position)
        if self._guard is not None:
            rest = self._guarded_fragment(self._guard, buffer, position, after, end)
            if rest >= 0:
                return rest
        rest, frame = self._fragments.take(buffer, position, after, end)
        if frame is not None:
            self._replace(buffer, position, after, frame)
        return rest

    def _guarded_fragment(
        self, guard: Guard, buffer: bytearray, position: int, after: int, end: int
    ) -> int:
        """Do what the guard says of a fragment; -1 where it goes the usual way."""
        if position + FRAGMENT_HEAD_SIZE > min(after, end):
            return -1
        _, kind, sequence, number = fragment_head(buffer, position)
        if kind == FRAG_HEADER:
            return -1 if after > end else self._first_fragment(guard, buffer, position, after)
        if sequence not in guard.dropped:
            return -1
        # A refused fragment waits until it is all there: it is dropped as a whole.
        if after > end:
            return position
        guard.drops(sequence, last=number == 1)
        return self._drop(buffer, position, after)

    def _first_fragment(self, guard: Guard, buffer: bytearray, position: int, after: int) -> int:
        """Let the guard see the first fragment, which has all that it decides by."""
        frame = self._examined(guard, buffer, position, after)
        if frame is None:
            return -1
        _, _, sequence, number = fragment_head(buffer, position)
        if sequence in guard.dropped:
            if number == 1:
                guard.drops(sequence, last=True)
            self._drop(buffer, position, after)
            if frame:
                self._segments.append(self._with_names(frame))
            return after
        # Names are changed after the guard's decision: its rules are for the names of the sender.
        changed = bytearray(frame)
        size = len(changed)
        _, renamed = self._fragments.take(changed, 0, size, size)
        self._replace(buffer, position, after, frame if renamed is None else renamed)
        return after

    def _examined(self, guard: Guard, buffer: bytearray, position: int, after: int) -> bytes | None:
        verdict = guard.examine(buffer, position, after)
        if verdict.answer:
            self.answers.append(verdict.answer)
        return verdict.frame

    def _drop(self, buffer: bytearray, position: int, after: int) -> int:
        """Leave a frame out; it counts as one."""
        self._frames += 1
        self._replace(buffer, position, after, b"")
        return after

    def _replace(self, buffer: bytearray, position: int, end: int, frame: bytes) -> None:
        self._emit_clean(buffer, position)
        if frame:
            self._segments.append(frame)
        self._clean_from = end

    def _emit_clean(self, buffer: bytearray, end: int) -> None:
        if end > self._clean_from:
            self._segments.append(memoryview(buffer)[self._clean_from : end])
