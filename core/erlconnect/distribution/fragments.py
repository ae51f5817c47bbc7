"""Frames that are fragments: which go as they are, and what becomes of the others.

Large messages are nearly all of the bytes of a busy link, so fragments that stand in a row are
taken together where that is possible.

All messages of one direction whose fragments are under way. Those of several interleave.

One message that comes in fragments: what has to be remembered between two of them.

Nothing is decided before it must be: while no name turns up, fragments are forwarded as they come
and kept only to find out later, if a name does turn up, whether the walk stands inside a binary by
then.

Bytes that were forwarded but not walked yet, kept where they are.

They stand in the buffers that they were read into, which therefore must not change. To copy them
would cost more time than the search for names, and so would fresh memory for each message: a
buffer that no message needs any more serves again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from erlconnect.distribution.edits import Splice, apply_splices, header_splices, term_splices
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf_scanner import EtfScanner, ScanResult
from erlconnect.distribution.frames import (
    FRAG_HEADER,
    FRAGMENT_HEAD_SIZE,
    LENGTH_SIZE,
    fragment_head,
    framed,
    skip_fragments,
)
from erlconnect.distribution.name_mapping import LONGEST_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erlconnect.distribution.frames import BufferSlice
    from erlconnect.distribution.name_mapping import CompiledMapping

Data = bytes | bytearray
# How many buffers a direction has ready for messages to come.
_MOST_SPARE: Final = 16
# Memory that one more piece takes, however few its bytes.
_PIECE_SIZE: Final = 200


class PinnedBuffers:
    """The buffers of one direction in which such bytes stand."""

    def __init__(self) -> None:
        self.size = 0
        """How much memory they hold, in bytes."""
        self._uses: dict[int, int] = {}
        self._exchanged: dict[int, bytearray] = {}
        self._spare: list[bytearray] = []

    def __contains__(self, buffer: Data) -> bool:
        """Return whether a buffer must not change."""
        return id(buffer) in self._uses

    def hold(self, buffer: Data) -> None:
        """Count one more use of a buffer."""
        uses = self._uses.get(id(buffer), 0)
        self._uses[id(buffer)] = uses + 1
        if not uses:
            self.size += len(buffer)

    def let_go(self, buffer: Data) -> None:
        """Count one use less."""
        uses = self._uses.pop(id(buffer)) - 1
        if uses:
            self._uses[id(buffer)] = uses
            return
        self.size -= len(buffer)
        free = self._exchanged.pop(id(buffer), None)
        if free is not None and len(self._spare) < _MOST_SPARE:
            self._spare.append(free)

    def exchange(self, buffer: bytearray) -> bytearray:
        """Return another buffer of its size for one that is held, and that serves again later."""
        self._exchanged[id(buffer)] = buffer
        while self._spare:
            spare = self._spare.pop()
            if len(spare) == len(buffer):
                return spare
        return bytearray(len(buffer))


class DeferredScan:
    """Those of one message."""

    __slots__ = ("_buffers", "_pieces")

    def __init__(self, buffers: PinnedBuffers) -> None:
        self._buffers = buffers
        self._pieces: list[tuple[Data, int, int]] = []

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self._pieces)

    def __iter__(self) -> Iterator[tuple[Data, int, int]]:
        """Return each piece: its buffer, and where it begins and ends there."""
        return iter(self._pieces)

    def keep(self, buffer: Data, pieces: list[BufferSlice]) -> None:
        """Add pieces of one buffer."""
        if not pieces:
            return
        if not self._pieces or self._pieces[-1][0] is not buffer:
            self._buffers.hold(buffer)
        self._pieces += [(buffer, start, end) for start, end in pieces]
        self._buffers.size += _PIECE_SIZE * len(pieces)

    def forget(self) -> None:
        """Drop everything."""
        previous = None
        for buffer, _, _ in self._pieces:
            if buffer is not previous:
                self._buffers.let_go(buffer)
            previous = buffer
        self._buffers.size -= _PIECE_SIZE * len(self._pieces)
        self._pieces.clear()


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

    def __init__(self, table: CompiledMapping, buffers: PinnedBuffers) -> None:
        self._table = table
        self._walk = EtfScanner(table.token_run, table.replacements)
        self._undecided = DeferredScan(buffers)
        self.carry = b""
        """The cut end of the fragment before, to be sent with the next one."""

    @property
    def lost(self) -> bool:
        """Whether the walk met a tag that it does not know."""
        return self._walk.lost

    def pass_over(self, size: int) -> bool:
        """Return whether the next ``size`` bytes may go as they are; if so, count them as gone.

        They may where nothing was cut off before them and they are inside a binary.
        """
        if self.carry or not self._opaque(size):
            return False
        self._walk.skip = max(0, self._walk.skip - size)
        return True

    def pass_row(self, data: Data, pieces: list[BufferSlice]) -> int:
        """Do what ``pass_over`` does for fragments that stand in a row; return how many may go.

        They may, too, where no name is in them. What stands between them holds none.
        """
        count = 0
        while count < len(pieces) and self.pass_over(pieces[count][1] - pieces[count][0]):
            count += 1
        return count or self._pass_unnamed(data, pieces)

    def _pass_unnamed(self, data: Data, pieces: list[BufferSlice]) -> int:
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
        findings = ScanResult()
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
        edits = term_splices(data, sent, findings, table.replacements, may_shrink=shrinks)
        if not edits and sent == end:
            return None, 0
        return apply_splices(data, start, sent, edits), len(findings.names)

    def _probe(self, data: Data, start: int, end: int, findings: ScanResult) -> int:
        """Walk the beginning of a message, token by whole token; return where that ended.

        Nothing before it is cut: the control term has to stay whole in its fragment.
        """
        probed = end if end - start < _SHORT else start + _PROBE
        self._walk.advance(data, start, probed, findings)
        return probed - self._walk.give_back(probed - start)

    def _decided_by_now(self, data: Data, start: int, end: int, *, last: bool) -> bool:
        """Return whether to walk on, because something was found or nothing is left to walk."""
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


MAX_DEFERRED_BYTES: Final = 32 * 1024 * 1024
MAX_INTERLEAVED: Final = 65536


class ReassemblyTable:
    """All fragmented messages of one direction, with the limits that bound their memory."""

    def __init__(self, table: CompiledMapping, *, max_undecided: int = MAX_DEFERRED_BYTES) -> None:
        self._table = table
        self._max_undecided = max_undecided
        self._messages: dict[int, FragmentedMessage] = {}
        self.kept = PinnedBuffers()
        self.lost = 0
        """Messages in which a tag came that the walk does not know."""

    def begin(self, sequence: int) -> FragmentedMessage:
        """Start a message; an unfinished one of the same sequence is forgotten."""
        self.end(sequence)
        if len(self._messages) >= MAX_INTERLEAVED:
            raise RemoteProtocolError(f"fragments: more than {MAX_INTERLEAVED} messages at once")
        message = self._messages[sequence] = FragmentedMessage(self._table, self.kept)
        return message

    def find(self, sequence: int) -> FragmentedMessage:
        """Return the message that a later fragment belongs to."""
        try:
            return self._messages[sequence]
        except KeyError:
            raise RemoteProtocolError("fragments: a later one without a first one") from None

    def end(self, sequence: int) -> None:
        """Forget a message, if there is one."""
        message = self._messages.pop(sequence, None)
        if message:
            message.forget_undecided()
            self.lost += message.lost

    def rewrite(
        self, message: FragmentedMessage, data: Data, start: int, end: int, stage: Stage
    ) -> tuple[bytes | None, int]:
        """Do ``message.rewrite`` within the limit on undecided bytes."""
        result = message.rewrite(data, start, end, stage)
        self._limit_memory()
        return result

    def pass_row(self, message: FragmentedMessage, data: Data, pieces: list[BufferSlice]) -> int:
        """Do ``message.pass_row`` within the limit on undecided bytes."""
        count = message.pass_row(data, pieces)
        self._limit_memory()
        return count

    def _limit_memory(self) -> None:
        if self.kept.size > self._max_undecided:
            for message in self._messages.values():
                message.walk_undecided()


_STAGES: Final = {
    (first, last): Stage(first=first, last=last)
    for first in (True, False)
    for last in (True, False)
}


class FragmentFrames:
    """Rewrites the fragments of one direction. The counters only grow."""

    def __init__(self, table: CompiledMapping) -> None:
        self._table = table
        self._messages = ReassemblyTable(table)
        self.frames = 0
        self.rewritten = 0
        self.to_pass = 0
        """Bytes of the last fragment that are still to come, and go as they are."""

    @property
    def lost(self) -> int:
        """Messages in which a tag came that the walk does not know."""
        return self._messages.lost

    @property
    def kept(self) -> PinnedBuffers:
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
        first, last, whole = kind == FRAG_HEADER, number == 1, after <= end
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
        """Pass fragments in a row that go as they are; return where they end, 0 where none does."""
        pieces = skip_fragments(buffer, position, end, sequence)
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
        edits: list[Splice] = []
        if stage.first:
            terms, edits = header_splices(buffer, terms, end, self._table.replacements)
        carry = message.carry
        data = carry + buffer[terms:end] if carry else buffer
        first, last = (0, len(data)) if carry else (terms, end)
        text, count = self._messages.rewrite(message, data, first, last, stage)
        self.rewritten += len(edits) + count
        if text is None and (carry or edits):
            text = bytes(data[first:last])
        if text is None:
            return None
        head = apply_splices(buffer, position + LENGTH_SIZE, terms, edits)
        return framed(head + text)
