"""A second, slow and strict reader of the external term format, written apart from the walk.

It follows the structure of terms (it counts how many are missing), where the walk only follows
sizes. A term becomes a flat list of events; two terms are equal where their events are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Event = tuple[object, ...]
_ATOMS = {119: 1, 118: 2, 115: 1, 100: 2}
_RAW = {97: 1, 98: 4, 99: 31, 70: 8, 106: 0}
_COUNTED = {107: (2, 0), 109: (4, 0), 77: (4, 1), 110: (1, 1), 111: (4, 1)}
# Tag: bytes of the arity, terms for each unit of it, terms besides.
_COMPOSITES = {104: (1, 1, 0), 105: (4, 1, 0), 108: (4, 1, 1), 116: (4, 2, 0), 117: (4, 1, 4)}
_IDENTIFIERS = {88: 12, 103: 9, 120: 12, 89: 8, 102: 5, 101: 5}
_REFERENCES = {90: 4, 114: 1}


@dataclass(slots=True)
class Fun:
    """Where a NEW_FUN_EXT begins, what its Size says, where it really ends."""

    start: int
    size: int
    end: int = 0

    @property
    def exact(self) -> bool:
        return self.start + 1 + self.size == self.end


@dataclass(slots=True)
class Reader:
    """Reads terms from ``data``, resolving cached atoms by ``cached``."""

    data: bytes
    position: int = 0
    cached: Sequence[object] = ()
    events: list[Event] = field(default_factory=list)
    atoms: list[tuple[int, bytes]] = field(default_factory=list)
    """The length byte of each inline atom shorter than 256 bytes, and its text."""
    funs: list[Fun] = field(default_factory=list)

    def term(self) -> Reader:
        """Read one term; IndexError where it is not all there, ValueError where it is none."""
        missing = 1
        open_funs: list[tuple[int, Fun]] = []
        while missing:
            missing += self._head(missing, open_funs) - 1
            while open_funs and open_funs[-1][0] == missing:
                open_funs.pop()[1].end = self.position
        return self

    def rest(self) -> Reader:
        """Read terms to the end of the data."""
        while self.position < len(self.data):
            self.term()
        return self

    def _take(self, size: int) -> bytes:
        piece = self.data[self.position : self.position + size]
        if len(piece) < size:
            raise IndexError("the data ends inside a term")
        self.position += size
        return piece

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _head(self, missing: int, open_funs: list[tuple[int, Fun]]) -> int:
        """Read one term's head, an identifier's whole; return how many terms it wants."""
        start = self.position
        tag = self._number(1)
        if tag in _RAW:
            self.events.append((tag, self._take(_RAW[tag])))
        elif tag in _COUNTED:
            size, extra = _COUNTED[tag]
            self.events.append((tag, self._take(self._number(size) + extra)))
        elif tag in _COMPOSITES:
            size, each, besides = _COMPOSITES[tag]
            arity = self._number(size)
            self.events.append((tag, arity))
            return arity * each + besides
        elif tag == 113:
            self.events.append((tag,))
            return 3
        elif tag == 67:
            fields = self._number(4)
            self.events.append((tag, fields, self._take(1)))
            return 2 + 2 * fields
        elif tag == 112:
            open_funs.append((missing - 1, Fun(start, self._number(4))))
            self.funs.append(open_funs[-1][1])
            head = self._take(25)
            self.events.append((tag, head))
            return 4 + int.from_bytes(head[-4:], "big")
        else:
            self._with_atom(tag)
        return 0

    def _with_atom(self, tag: int) -> None:
        if tag in _IDENTIFIERS:
            self.events.append((tag,))
            self._atom(self._number(1))
            self.events.append(("id", self._take(_IDENTIFIERS[tag])))
        elif tag in _REFERENCES:
            words = self._number(2)
            self.events.append((tag, words))
            self._atom(self._number(1))
            self.events.append(("id", self._take(_REFERENCES[tag] + 4 * words)))
        else:
            self._atom(tag)

    def _atom(self, tag: int) -> None:
        if tag == 82:
            self.events.append(("cached", self.cached[self._number(1)]))
            return
        if tag not in _ATOMS:
            raise ValueError(f"tag {tag} where an atom was expected")
        length = self._number(_ATOMS[tag])
        text = self._take(length)
        self.events.append(("atom", tag, text))
        if length < 256:
            self.atoms.append((self.position - length - 1, text))


def renamed(events: Sequence[Event], table: Mapping[bytes, bytes]) -> list[Event]:
    """Replace the text of atoms, cached or not, as ``table`` says, and touch nothing else."""
    return [
        (*event[:-1], table.get(event[-1], event[-1]))
        if event[0] in ("atom", "cached") and isinstance(event[-1], bytes)
        else event
        for event in events
    ]
