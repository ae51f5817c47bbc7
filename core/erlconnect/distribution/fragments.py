"""Messages that come in fragments: what has to be remembered between two of them.

Fragments of many messages interleave. Nothing is decided before it must be: while no name turns
up, fragments are forwarded as they come and kept only to find out later, if a name does turn up,
whether the walk stands inside a binary by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from erlconnect.distribution.edits import apply_edits, term_edits
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.term_walk import Findings, TermWalk
from erlconnect.distribution.undecided import UndecidedBytes

if TYPE_CHECKING:
    from erlconnect.distribution.rewrite_table import RewriteTable

MAX_UNDECIDED: Final = 32 * 1024 * 1024
MAX_INTERLEAVED: Final = 65536

# A message that is one large binary shows itself this early.
_PROBE: Final = 1024

# A first fragment below this size is walked whole. OTP sends none; in one from elsewhere even a
# long control term may reach to its end.
_SHORT: Final = 16384

Data = bytes | bytearray


class Stage(NamedTuple):
    """Where in its message a fragment stands."""

    first: bool
    last: bool


class FragmentedMessage:
    """One message under way: where its walk stands, and what was forwarded but not walked yet."""

    __slots__ = ("_table", "_undecided", "_walk", "carry")

    def __init__(self, table: RewriteTable, spare: list[bytearray]) -> None:
        self._table = table
        self._walk = TermWalk(table.token_run, table.replacements)
        self._undecided = UndecidedBytes(spare)
        self.carry = b""
        """The cut end of the fragment before, to be sent with the next one."""

    @property
    def undecided_size(self) -> int:
        """How much memory holds what was forwarded but not walked yet."""
        return self._undecided.size

    @property
    def lost(self) -> bool:
        """Whether the walk met a tag that it does not know."""
        return self._walk.lost

    def pass_over(self, size: int) -> bool:
        """Tell whether the next ``size`` bytes may go as they are; if so, count them as gone.

        They may where nothing was cut off before them and they are inside a binary.
        """
        if self.carry or self._undecided or self._walk.opaque < size:
            return False
        self._walk.skip = max(0, self._walk.skip - size)
        return True

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
            self._undecided.keep(memoryview(data)[walked:sent])
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
        for block, length in self._undecided:
            self._walk.advance(block, 0, length)
        self._undecided.forget()

    def forget_undecided(self) -> None:
        """Let go of it: the message is over."""
        self._undecided.forget()


class MessagesUnderWay:
    """All fragmented messages of one direction, with the limits that bound their memory."""

    def __init__(self, table: RewriteTable, *, max_undecided: int = MAX_UNDECIDED) -> None:
        self._table = table
        self._max_undecided = max_undecided
        self._messages: dict[int, FragmentedMessage] = {}
        self._undecided = 0
        self._spare: list[bytearray] = []
        self.lost = 0
        """Messages in which a tag came that the walk does not know."""

    def begin(self, sequence: int) -> FragmentedMessage:
        """Start a message; an unfinished one of the same sequence is forgotten."""
        self.end(sequence)
        if len(self._messages) >= MAX_INTERLEAVED:
            raise RemoteProtocolError(f"fragments: more than {MAX_INTERLEAVED} messages at once")
        message = self._messages[sequence] = FragmentedMessage(self._table, self._spare)
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
            message.forget_undecided()
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
