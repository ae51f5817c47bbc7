"""The few kinds of terms that erlconnect itself says to a node and hears from it.

Refuses to know the rest of the format: what links carry is walked (``term_walk``) and never built.
Source: "External Term Format".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from erlconnect.distribution.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable


class Atom(str):
    """An atom; other text has no place in a term."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pid:
    """The process identifier of a node, or of ourselves."""

    node: str
    id: int
    serial: int
    creation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference; ``words`` are one to five 32-bit numbers."""

    node: str
    creation: int
    words: tuple[int, ...]


Term: TypeAlias = (
    "Atom | int | bytes | Pid | Reference | tuple[Term, ...] | list[Any] | dict[Any, Any]"
)
_DEEPEST: Final = 64
_SMALL: Final = 255


def encode(term: Term) -> bytes:
    """Return ``term`` without the version byte; maps are heard and never said."""
    match term:
        case tuple():
            encoded = b"h" + bytes([len(term)]) + b"".join(map(encode, term))
        case list():
            parts = b"".join(map(encode, term))
            encoded = b"l" + struct.pack(">I", len(term)) + parts + b"j" if term else b"j"
        case Pid():
            rest = struct.pack(">III", term.id, term.serial, term.creation)
            encoded = b"X" + encode(Atom(term.node)) + rest
        case Reference():
            numbers = struct.pack(f">{1 + len(term.words)}I", term.creation, *term.words)
            encoded = b"Z" + struct.pack(">H", len(term.words)) + encode(Atom(term.node)) + numbers
        case _:
            encoded = _encode_simple(term)
    return encoded


def _encode_simple(term: Term) -> bytes:
    match term:
        case Atom():
            text = term.encode()
            return b"w" + bytes([len(text)]) + text
        case int():
            return b"a" + bytes([term]) if 0 <= term <= _SMALL else b"b" + struct.pack(">i", term)
        case bytes():
            return b"m" + struct.pack(">I", len(term)) + term
    raise TypeError(f"no term is made of {type(term).__name__}")


def decode(data: bytes, start: int = 0) -> tuple[Term, int]:
    """Return the term that begins at ``start``, and where it ends.

    Raises ``RemoteProtocolError`` where it is cut off, nested too deeply or of another kind.
    """
    reader = _Reader(data, start)
    try:
        return reader.term(_DEEPEST), reader.at
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"a term: cut off at {reader.at}") from error


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._bytes = data
        self.at = at

    def term(self, depth: int) -> Term:
        tag = self.number(">B")
        if simple := _SIMPLE.get(tag):
            return simple(self)
        if depth == 0:
            raise RemoteProtocolError(f"a term: nested too deeply at {self.at - 1}")
        if tag in _SIZES:
            return self._nested(tag, depth - 1)
        raise RemoteProtocolError(f"a term: tag {tag} at {self.at - 1} is not understood")

    def _nested(self, tag: int, depth: int) -> Term:
        size = self._possible(self.number(_SIZES[tag]))
        if tag == _MAP:
            return self._map(size, depth)
        terms = [self.term(depth) for _ in range(size)]
        if tag != _LIST:
            return tuple(terms)
        if self.term(depth) != []:
            raise RemoteProtocolError(f"a term: an improper list before {self.at}")
        return terms

    def _map(self, size: int, depth: int) -> Term:
        pairs = [(self.term(depth), self.term(depth)) for _ in range(size)]
        try:
            return dict(pairs)
        except TypeError as error:
            raise RemoteProtocolError(f"a term: a key that is no key before {self.at}") from error

    def pid(self) -> Pid:
        node = self._node()
        number, serial, creation = (self.number(">I") for _ in range(3))
        return Pid(node=node, id=number, serial=serial, creation=creation)

    def reference(self) -> Reference:
        size = self._possible(self.number(">H"))
        node = self._node()
        creation, *words = (self.number(">I") for _ in range(1 + size))
        return Reference(node=node, creation=creation, words=tuple(words))

    def _node(self) -> str:
        """Return the atom here; any other term in its place could nest without a limit."""
        size = _ATOM_SIZES.get(self.number(">B"))
        if size is None:
            raise RemoteProtocolError(f"a term: no node name at {self.at - 1}")
        return self.atom(size)

    def _possible(self, size: int) -> int:
        """Each element takes a byte at least: a larger size is not worth an allocation."""
        if size > len(self._bytes) - self.at:
            raise RemoteProtocolError(f"a term: {size} elements at {self.at} go beyond its end")
        return size

    def number(self, layout: str) -> int:
        (number,) = struct.unpack_from(layout, self._bytes, self.at)
        self.at += struct.calcsize(layout)
        return int(number)

    def data(self, size: int) -> bytes:
        piece = self._bytes[self.at : self.at + size]
        if len(piece) != size:
            raise RemoteProtocolError(f"a term: {size} bytes at {self.at} go beyond its end")
        self.at += size
        return piece

    def atom(self, size: str) -> Atom:
        return Atom(self.data(self.number(size)).decode())


_LIST: Final = 108
_MAP: Final = 116
_SIZES: Final = {104: ">B", 105: ">I", _LIST: ">I", _MAP: ">I"}
_ATOM_SIZES: Final = {118: ">H", 119: ">B"}
_SIMPLE: Final[dict[int, Callable[[_Reader], Term]]] = {
    88: _Reader.pid,
    90: _Reader.reference,
    97: lambda reader: reader.number(">B"),
    98: lambda reader: reader.number(">i"),
    106: lambda _: [],
    107: lambda reader: list(reader.data(reader.number(">H"))),
    109: lambda reader: reader.data(reader.number(">I")),
    118: lambda reader: reader.atom(">H"),
    119: lambda reader: reader.atom(">B"),
}
