"""All messages of one direction whose fragments are under way. Those of several interleave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.fragmented_message import FragmentedMessage
from erlconnect.distribution.undecided import KeptBuffers

if TYPE_CHECKING:
    from erlconnect.distribution.fragment_runs import Piece
    from erlconnect.distribution.fragmented_message import Stage
    from erlconnect.distribution.rewrite_table import RewriteTable
    from erlconnect.distribution.undecided import Data

MAX_UNDECIDED: Final = 32 * 1024 * 1024
MAX_INTERLEAVED: Final = 65536


class MessagesUnderWay:
    """All fragmented messages of one direction, with the limits that bound their memory."""

    def __init__(self, table: RewriteTable, *, max_undecided: int = MAX_UNDECIDED) -> None:
        self._table = table
        self._max_undecided = max_undecided
        self._messages: dict[int, FragmentedMessage] = {}
        self.kept = KeptBuffers()
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
        """Give the message that a later fragment belongs to."""
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

    def pass_row(self, message: FragmentedMessage, data: Data, pieces: list[Piece]) -> int:
        """Do ``message.pass_row`` within the limit on undecided bytes."""
        count = message.pass_row(data, pieces)
        self._limit_memory()
        return count

    def _limit_memory(self) -> None:
        if self.kept.size > self._max_undecided:
            for message in self._messages.values():
                message.walk_undecided()
