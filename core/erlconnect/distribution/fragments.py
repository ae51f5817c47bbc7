"""Fragmented messages: which fragments go as they came, and how names in the others are rewritten.

A message above 64 KB comes as one FRAG_HEADER frame (sequence number, atom cache, control term and
the start of the payload) and FRAG_CONT frames with cuts at any byte. Fragments of several messages
interleave, told apart by their sequence number. Large messages are nearly all of the bytes of a
busy link, so their cost decides its speed.

What makes it fast is to decide late. A name matters only where it is an atom, and only a scan of
the terms tells atoms from the inside of binaries. But as long as no name's bytes turn up in a
fragment, it can go as it came without a scan. If a name does turn up later, the scan must know
whether it stands inside a binary by then, so it first has to catch up with all that went before.
Those bytes are the *deferred* ones (``DeferredScan``).

The contract of deferred bytes, which ``Pump`` (``proxy/relay.py``) has to keep:

1. Deferred bytes are not copied. They stay in the buffer that they were received into, and a
   ``DeferredScan`` holds slices of it.
2. While any slice of a buffer is held, the buffer is *pinned* and must not change: no new bytes may
   be received over it. ``Rewriter.pins_buffer`` returns whether it is pinned.
   ``Rewriter.swap_buffer`` returns another buffer of the same size to go on with.
3. A pin ends when the scan has caught up, or when the message has ended. A buffer that was swapped
   out and has no pin any more serves again at the next swap: fresh memory for every message would
   cost more time than the search for names.
4. ``PinnedBuffers.size`` is the memory that is pinned. Beyond ``MAX_DEFERRED_BYTES`` all scans of
   the direction catch up at once, which releases every pin.

Source: "Distribution Header for Fragmented Messages" in the External Term Format chapter.
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

MAX_DEFERRED_BYTES: Final = 32 * 1024 * 1024
"""How much memory deferred scans of one direction may hold; beyond it they are done at once."""

MAX_INTERLEAVED: Final = 65536
"""How many fragmented messages of one direction may be in progress."""

Data = bytes | bytearray

# So many bytes are scanned to find out whether a message is one large binary.
_PROBE: Final = 1024
# A first fragment below this size is scanned whole. OTP sends none so small, but the control term
# of one from elsewhere may reach to the fragment's end.
_SHORT: Final = 16384
# How many free buffers a direction keeps for messages to come.
_MOST_SPARE: Final = 16
# Memory that one more deferred slice takes, however few its bytes.
_SLICE_SIZE: Final = 200


class Stage(NamedTuple):
    """Whether a fragment is the first of its message, the last, both or neither."""

    first: bool
    last: bool


_STAGES: Final = {
    (first, last): Stage(first=first, last=last)
    for first in (True, False)
    for last in (True, False)
}


class FragmentFrames:
    """Rewrites the fragments of one direction of a link. The counters only grow."""

    def __init__(self, table: CompiledMapping) -> None:
        self._table = table
        self._messages = ReassemblyTable(table)
        self.frames = 0
        self.rewritten = 0
        self.to_pass = 0
        """Bytes of the last fragment that are still to come and go as they are."""

    @property
    def unparseable(self) -> int:
        """Messages with a tag that the scan does not know; the rest of them went as it came."""
        return self._messages.unparseable

    @property
    def pinned(self) -> PinnedBuffers:
        """The buffers that must not change, because bytes in them may have to be scanned yet."""
        return self._messages.pinned

    def take(
        self, buffer: bytearray, position: int, after: int, end: int
    ) -> tuple[int, bytes | None]:
        """Take a fragment that ends at ``after``, or several, from ``buffer[position:end]``.

        Return where the rest begins, and the frame that the fragment becomes; with ``None`` what
        was taken goes as it is. Nothing is taken where the rest begins at ``position``: more bytes
        are needed. Raises ``RemoteProtocolError``.
        """
        terms = position + FRAGMENT_HEAD_SIZE
        if terms > after:
            raise RemoteProtocolError("fragment: it ends inside its head")
        # Sequence and number are not all there yet: wait for them.
        if terms > end:
            return position, None
        _, kind, sequence, number = fragment_head(buffer, position)
        # Fragment numbers count down to 1.
        first, last, whole = kind == FRAG_HEADER, number == 1, after <= end
        # The control term is in the first fragment, and its names have to be rewritten there.
        if first and not whole:
            return position, None
        message = self._messages.begin(sequence) if first else self._messages.find(sequence)
        if whole and not (first or last):
            if passed := self._pass_in_a_row(buffer, position, end, message, sequence):
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

    def _pass_in_a_row(
        self,
        buffer: bytearray,
        position: int,
        end: int,
        message: FragmentedMessage,
        sequence: int,
    ) -> int:
        """Pass fragments in a row that go as they are; return where they end, 0 without any."""
        slices = skip_fragments(buffer, position, end, sequence)
        count = self._messages.pass_in_a_row(message, buffer, slices)
        self.frames += count
        return slices[count - 1][1] if count else 0

    def _count(self, sequence: int, *, last: bool) -> None:
        self.frames += 1
        if last:
            self._messages.end(sequence)

    def _rewrite(
        self, buffer: bytearray, position: int, end: int, message: FragmentedMessage, stage: Stage
    ) -> bytes | None:
        terms = position + FRAGMENT_HEAD_SIZE
        splices: list[Splice] = []
        if stage.first:
            terms, splices = header_splices(buffer, terms, end, self._table.replacements)
        carry = message.carry
        data = carry + buffer[terms:end] if carry else buffer
        first, last = (0, len(data)) if carry else (terms, end)
        text, count = self._messages.rewrite(message, data, first, last, stage)
        self.rewritten += len(splices) + count
        if text is None and (carry or splices):
            text = bytes(data[first:last])
        if text is None:
            return None
        head = apply_splices(buffer, position + LENGTH_SIZE, terms, splices)
        return framed(head + text)


class ReassemblyTable:
    """The fragmented messages of one direction that are in progress, within limits of memory."""

    def __init__(self, table: CompiledMapping, *, max_deferred: int = MAX_DEFERRED_BYTES) -> None:
        self._table = table
        self._max_deferred = max_deferred
        self._messages: dict[int, FragmentedMessage] = {}
        self.pinned = PinnedBuffers()
        self.unparseable = 0
        """Messages with a tag that the scan does not know; the rest of them went as it came."""

    def begin(self, sequence: int) -> FragmentedMessage:
        """Start a message; an unfinished one with the same sequence number is dropped.

        Raises ``RemoteProtocolError`` where too many are in progress.
        """
        self.end(sequence)
        if len(self._messages) >= MAX_INTERLEAVED:
            raise RemoteProtocolError(f"fragments: more than {MAX_INTERLEAVED} messages at once")
        message = self._messages[sequence] = FragmentedMessage(self._table, self.pinned)
        return message

    def find(self, sequence: int) -> FragmentedMessage:
        """Return the message of a later fragment; ``RemoteProtocolError`` where none has begun."""
        try:
            return self._messages[sequence]
        except KeyError:
            raise RemoteProtocolError("fragments: a later one without a first one") from None

    def end(self, sequence: int) -> None:
        """Drop a message, if there is one, and what is pinned for it."""
        message = self._messages.pop(sequence, None)
        if message:
            message.drop_deferred()
            self.unparseable += message.unparseable

    def rewrite(
        self, message: FragmentedMessage, data: Data, start: int, end: int, stage: Stage
    ) -> tuple[bytes | None, int]:
        """Call ``message.rewrite``, then enforce the limit on deferred bytes."""
        result = message.rewrite(data, start, end, stage)
        self._limit_memory()
        return result

    def pass_in_a_row(
        self, message: FragmentedMessage, data: Data, slices: list[BufferSlice]
    ) -> int:
        """Call ``message.pass_in_a_row``, then enforce the limit on deferred bytes."""
        count = message.pass_in_a_row(data, slices)
        self._limit_memory()
        return count

    def _limit_memory(self) -> None:
        if self.pinned.size > self._max_deferred:
            # All messages and not the largest one: a buffer is free only if none of them pins it.
            for message in self._messages.values():
                message.scan_deferred()


class FragmentedMessage:
    """One message in progress: the state of its scan, and what was forwarded without a scan."""

    __slots__ = ("_deferred", "_scan", "_table", "carry")

    def __init__(self, table: CompiledMapping, buffers: PinnedBuffers) -> None:
        self._table = table
        self._scan = EtfScanner(table.token_run, table.replacements)
        self._deferred = DeferredScan(buffers)
        self.carry = b""
        """The end of the fragment before that was cut off, to be sent with the next one.

        It is the beginning of a name or of a fun's head, which must be rewritten as a whole.
        """

    @property
    def unparseable(self) -> bool:
        """Whether the scan met a tag that it does not know."""
        return self._scan.unparseable

    def pass_over(self, size: int) -> bool:
        """Return whether the next ``size`` bytes may go as they are; if so, count them as gone.

        They may where nothing was cut off before them and they lie inside a binary.
        """
        if self.carry or not self._opaque(size):
            return False
        self._scan.skip = max(0, self._scan.skip - size)
        return True

    def pass_in_a_row(self, data: Data, slices: list[BufferSlice]) -> int:
        """Do ``pass_over`` for fragments that stand in a row; return how many may go as they are.

        They may, too, where no name is in them; then their scan is deferred.
        """
        count = 0
        while count < len(slices) and self.pass_over(slices[count][1] - slices[count][0]):
            count += 1
        return count or self._pass_unnamed(data, slices)

    def _pass_unnamed(self, data: Data, slices: list[BufferSlice]) -> int:
        table = self._table
        # Where names become shorter, the Size in a fun's head must be lowered before it is sent:
        # OTP 23 checks that so many bytes follow (`edits.term_splices`).
        if self.carry or table.may_shrink:
            return 0
        last = slices[-1][1]
        clear = table.first_place(data, slices[0][0], last)
        if clear < last:
            # The place found is anywhere inside the name's pattern.
            clear -= LONGEST_PATTERN
        count = 0
        while count < len(slices):
            start, end = slices[count]
            if end > clear or table.cut_length(data, start, end):
                break
            count += 1
        self._deferred.add(data, slices[:count])
        return count

    def _opaque(self, size: int) -> bool:
        return not self._deferred and self._scan.opaque >= size

    def rewrite(self, data: Data, start: int, end: int, stage: Stage) -> tuple[bytes | None, int]:
        """Rewrite the terms of a fragment, ``data[start:end]``.

        Return the new bytes, or ``None`` where the old ones may go as they are, and the number of
        names rewritten. An end that has to be cut off goes to ``carry`` and not into the result.
        """
        table = self._table
        result = ScanResult()
        walked = self._probe(data, start, end, result) if stage.first else start
        sent = end
        if self._must_scan(data, walked, end, last=stage.last):
            self.scan_deferred()
            self._scan.advance(data, walked, end, result)
            sent -= 0 if stage.last else self._scan.give_back(end - walked)
        elif not stage.last:
            sent -= table.cut_length(data, walked, end)
            self._deferred.add(data, [(walked, sent)])
        self.carry = bytes(data[sent:end])
        if result.funs:
            # The head of a fun that begins in an earlier fragment has been sent already.
            result.funs = [fun for fun in result.funs if fun[0] >= start]
        shrinks = table.may_shrink and not stage.last
        splices = term_splices(data, sent, result, table.replacements, may_shrink=shrinks)
        if not splices and sent == end:
            return None, 0
        return apply_splices(data, start, sent, splices), len(result.names)

    def _probe(self, data: Data, start: int, end: int, result: ScanResult) -> int:
        """Scan the beginning of a message, by whole tokens; return where that ended.

        Nothing before that place is cut off: OTP reads the control term from the first fragment
        alone, so it has to stay whole there.
        """
        probed = end if end - start < _SHORT else start + _PROBE
        self._scan.advance(data, start, probed, result)
        return probed - self._scan.give_back(probed - start)

    def _must_scan(self, data: Data, start: int, end: int, *, last: bool) -> bool:
        """Return whether to scan these bytes now; if not, their scan can be deferred."""
        if self._opaque(end - start):
            return True
        if self._table.occurs_as_atom(data, start, end):
            return True
        return not last and self._table.shrinkable_fun_occurs(data, start, end)

    def scan_deferred(self) -> None:
        """Scan what was forwarded without a scan, and release it."""
        for data, start, end in self._deferred:
            self._scan.advance(data, start, end)
        self._deferred.clear()

    def drop_deferred(self) -> None:
        """Release what was deferred: the message has ended."""
        self._deferred.clear()


class DeferredScan:
    """The bytes of one message that were forwarded and not scanned yet, where they stand.

    Iterating gives ``(buffer, start, end)`` in the order of the message.
    """

    __slots__ = ("_buffers", "_slices")

    def __init__(self, buffers: PinnedBuffers) -> None:
        self._buffers = buffers
        self._slices: list[tuple[Data, int, int]] = []

    def __len__(self) -> int:
        """Return the number of slices."""
        return len(self._slices)

    def __iter__(self) -> Iterator[tuple[Data, int, int]]:
        """Return the slices: their buffer, start and end."""
        return iter(self._slices)

    def add(self, buffer: Data, slices: list[BufferSlice]) -> None:
        """Defer slices of one buffer, which this pins."""
        if not slices:
            return
        if not self._slices or self._slices[-1][0] is not buffer:
            self._buffers.pin(buffer)
        self._slices += [(buffer, start, end) for start, end in slices]
        self._buffers.size += _SLICE_SIZE * len(slices)

    def clear(self) -> None:
        """Drop all slices and their pins."""
        previous = None
        for buffer, _, _ in self._slices:
            if buffer is not previous:
                self._buffers.unpin(buffer)
            previous = buffer
        self._buffers.size -= _SLICE_SIZE * len(self._slices)
        self._slices.clear()


class PinnedBuffers:
    """The buffers of one direction that must not change, each with the number of its users."""

    def __init__(self) -> None:
        self.size = 0
        """Memory that is held, in bytes: the pinned buffers and the slices of them."""
        # By id, because a bytearray has no hash. The slices hold the buffer, so that no other one
        # can get its id.
        self._uses: dict[int, int] = {}
        self._swapped: dict[int, bytearray] = {}
        self._spare: list[bytearray] = []

    def __contains__(self, buffer: Data) -> bool:
        """Return whether ``buffer`` must not change."""
        return id(buffer) in self._uses

    def pin(self, buffer: Data) -> None:
        """Add a user of ``buffer``."""
        uses = self._uses.get(id(buffer), 0)
        self._uses[id(buffer)] = uses + 1
        if not uses:
            self.size += len(buffer)

    def unpin(self, buffer: Data) -> None:
        """Remove a user; a swapped-out buffer without any is kept for the next ``swap``."""
        uses = self._uses.pop(id(buffer)) - 1
        if uses:
            self._uses[id(buffer)] = uses
            return
        self.size -= len(buffer)
        free = self._swapped.pop(id(buffer), None)
        if free is not None and len(self._spare) < _MOST_SPARE:
            self._spare.append(free)

    def swap(self, buffer: bytearray) -> bytearray:
        """Return another buffer of the same size; ``buffer`` is used again once it has no pin."""
        self._swapped[id(buffer)] = buffer
        while self._spare:
            spare = self._spare.pop()
            if len(spare) == len(buffer):
                return spare
        return bytearray(len(buffer))
