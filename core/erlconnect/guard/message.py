"""One message of a link as a rule looks at it, and what a rule may decide about it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from erlconnect.distribution.bounded_terms import UNREAD, decode_prefix, element_spans
from erlconnect.distribution.control import ControlMessage, addressee

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.distribution.control import Addressee
    from erlconnect.distribution.edits import Splice
    from erlconnect.distribution.etf import Atom
    from erlconnect.guard.answers import Answer
    from erlconnect.guard.rules import Rule

Span = tuple[int, int]


class Message:
    """A message in ``data``, whose payload ends at ``end``, or goes on in later fragments."""

    def __init__(
        self,
        data: bytes | bytearray,
        end: int,
        *,
        control: ControlMessage,
        payload: int,
        atoms: Sequence[Atom | None],
        whole: bool,
    ) -> None:
        self.data = data
        self.end = end
        self.operation = control.operation
        self.control = control.terms
        self.payload_start = payload
        self.atoms = atoms
        self.whole = whole
        self.addressee: Addressee | None = addressee(control)

    # Most rules need only the control message; the payload is decoded on first use.
    @cached_property
    def payload(self) -> Any:
        """The payload as a term; ``UNREAD`` if there is none or it cannot be read."""
        if not 0 <= self.payload_start < self.end:
            return UNREAD
        return decode_prefix(self.data, self.payload_start, self.end, self.atoms)[0]

    def elements(self, span: Span | None = None) -> list[Span]:
        """Return where the elements of a term in the payload are; of the payload itself without."""
        start, end = span or (self.payload_start, self.end)
        return element_spans(self.data, start, end, self.atoms)

    def term(self, span: Span) -> Any:
        """Return the term of a span."""
        return decode_prefix(self.data, span[0], span[1], self.atoms)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The message does not pass; ``answer`` goes to its sender."""

    rule: Rule
    what: str
    answer: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The message passes with ``edits`` made; ``told`` is whether the user is informed."""

    rule: Rule
    what: str
    edits: list[Splice]
    told: bool = True


Decision = Refused | Rewritten | None
"""The result of a rule; ``None`` lets the message pass unchanged."""
