"""Terms of a link, decoded within bounds and as far as their bytes have arrived.

What a link carries may be cut off (only the first fragment of a message has come), too large to be
decoded whole, or of a kind that this module does not know. What could not be read stands as
``UNREAD`` where it would be, and all that was read before it is there. Nothing recurses: nesting
costs no stack. ``etf`` encodes, and decodes the answers to requests of our own.
Source: "External Term Format".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf import Atom, ImproperList, Pid, Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Unread:
    """The type of ``UNREAD``: a term, or the rest of one, that was not read."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNREAD"


UNREAD: Final = Unread()


@dataclass(frozen=True, slots=True)
class Map:
    """The pairs of a map in the order of the bytes; keys may be any terms."""

    pairs: tuple[tuple[Any, Any], ...]

    def get(self, key: str) -> Any:
        """Return the value of the atom ``key``; ``None`` where the map has none."""
        values = (value for known, value in self.pairs if is_atom(known, key))
        return next(values, None)


@dataclass(frozen=True, slots=True)
class Export:
    """``fun Module:Function/Arity``."""

    module: Any
    function: Any
    arity: Any


@dataclass(frozen=True, slots=True)
class Fun:
    """A fun of a module, with what it keeps of the place where it was made."""

    module: Any
    environment: tuple[Any, ...]


class Opaque(NamedTuple):
    """A term whose value no rule looks at: a port, a float, a large integer, a bit string."""

    tag: int


DEEPEST: Final = 1024
"""Deeper terms are left ``UNREAD``. They are no error: a program may send them."""
MAX_TOKENS: Final = 20_000
"""The most tokens of one term that are read; the rest is ``UNREAD``."""
_MOST_WORDS: Final = 5  # of a reference, in any release
_LIST, _TUPLE, _MAP, _FUN, _EXPORT = range(5)
# Longer containers than this are read as far as their elements go, and not filled up.
_LONGEST_FILLED: Final = 16


def is_atom(term: object, text: str) -> bool:
    """Return whether ``term`` is the atom ``text``; a binary of the same text is none."""
    return isinstance(term, Atom) and term == text


class _CutError(Exception):
    """Raised at the end of the bytes, at a limit, and at an unknown tag."""


class _Container:
    """A term that has begun; ``size`` terms belong to it."""

    __slots__ = ("items", "kind", "size")

    def __init__(self, kind: int, size: int) -> None:
        self.kind = kind
        self.size = size
        self.items: list[Any] = []

    def value(self) -> Any:
        items = self.items
        if self.kind == _TUPLE:
            return tuple(items)
        if self.kind == _LIST:
            return _list(items)
        if self.kind == _MAP:
            return Map(tuple(zip(items[::2], items[1::2], strict=True)))
        if self.kind == _EXPORT:
            return _export(items)
        return _fun(items)

    def cut(self) -> Any:
        """Return the value from the parts that were read, with ``UNREAD`` for the others."""
        missing = self.size - len(self.items)
        if self.kind == _LIST:
            unread: Any = UNREAD
            return ImproperList(tuple(self.items), unread)
        if self.kind == _MAP:
            # A map needs whole pairs: one UNREAD completes a pair, two stand for all that follow.
            missing = 2 - len(self.items) % 2
        elif self.kind == _TUPLE and self.size > _LONGEST_FILLED:
            missing = 1
        elif self.kind == _FUN:
            # Module, two integers and a pid come first; at least one UNREAD stands for the
            # environment.
            missing = max(1, 4 - len(self.items))
        self.items += [UNREAD] * missing
        return self.value()


def _export(items: list[Any]) -> Export:
    module, function, arity = items
    if not _kinds(items, (Atom, Atom, int)):
        raise RemoteProtocolError("term: a function whose name or arity is none")
    return Export(module, function, arity)


def _fun(items: list[Any]) -> Fun:
    """Return a fun of its module, two integers that tell the function, and who made it."""
    # NEW_FUN_EXT, External Term Format: module, OldIndex, OldUniq and Pid precede the rest.
    if not _kinds(items, (Atom, int, int, Pid)):
        raise RemoteProtocolError("term: a fun whose index or process is none")
    return Fun(items[0], tuple(items[4:]))


def _kinds(items: list[Any], kinds: tuple[type, ...]) -> bool:
    """Return whether terms are of these kinds, as far as they were read."""
    pairs = zip(items, kinds, strict=False)
    return all(isinstance(item, (kind, Unread)) for item, kind in pairs)


def _list(items: list[Any]) -> Any:
    tail = items.pop()
    if isinstance(tail, list):
        return items + tail if tail else items
    if isinstance(tail, ImproperList):
        return ImproperList((*items, *tail.elements), tail.tail)
    return ImproperList(tuple(items), tail)


def decode_prefix(
    data: bytes | bytearray, start: int, end: int, cached: Sequence[Atom | None] = ()
) -> tuple[Any, int]:
    """Return the term at ``start``, and where it ends; the end is -1 where it was not read whole.

    ``cached`` are the atoms that the message's header names. Raises ``RemoteProtocolError`` where
    no decoder could make sense of the bytes.
    """
    return TermReader(data, start, end, cached).read()


class TermReader:
    """Reads terms one behind the other; ``at`` is where the next one begins."""

    def __init__(
        self,
        data: bytes | bytearray,
        start: int,
        end: int,
        cached: Sequence[Atom | None] = (),
        *,
        max_tokens: int = MAX_TOKENS,
        deepest: int = DEEPEST,
    ) -> None:
        self._data = data
        self.at = start
        self._end = end
        self._cached = cached
        self._left = max_tokens
        self._deepest = deepest

    def read(self) -> tuple[Any, int]:
        """Do what ``decode_prefix`` does, for the term at ``at``."""
        stack: list[_Container] = []
        try:
            return self._whole(stack), self.at
        except _CutError:
            value: Any = UNREAD
        while stack:
            top = stack.pop()
            # cut() puts UNREAD in its place, so that it is not there twice.
            if not isinstance(value, Unread):
                top.items.append(value)
            value = top.cut()
        return value, -1

    def _whole(self, stack: list[_Container]) -> Any:
        while True:
            value = self._token()
            if isinstance(value, _Container):
                if value.size:
                    stack.append(value)
                    if len(stack) >= self._deepest:
                        raise _CutError
                    continue
                value = value.value()
            while stack:
                top = stack[-1]
                top.items.append(value)
                if len(top.items) < top.size:
                    break
                value = stack.pop().value()
            else:
                return value

    def _token(self) -> Any:
        self._left -= 1
        if self._left < 0 or self.at >= self._end:
            raise _CutError
        tag = self._data[self.at]
        read = _TOKENS.get(tag)
        # A tag of a later release: its length is unknown, so nothing behind it can be read.
        if read is None:
            raise _CutError
        self.at += 1
        return read(self)

    def number(self, layout: struct.Struct) -> int:
        """Read an unsigned or signed number."""
        self._need(layout.size)
        (number,) = layout.unpack_from(self._data, self.at)
        self.at += layout.size
        return int(number)

    def _need(self, size: int) -> None:
        if size > self._end - self.at:
            raise _CutError

    def bytes_of(self, size: int) -> bytes:
        """Read ``size`` bytes."""
        self._need(size)
        piece = bytes(self._data[self.at : self.at + size])
        self.at += size
        return piece

    def skipped(self, tag: int, size: int) -> Opaque:
        """Skip ``size`` bytes and return an ``Opaque`` for them."""
        self._need(size)
        self.at += size
        return Opaque(tag)

    def atom(self, layout: struct.Struct, encoding: str) -> Atom:
        """Read the text of an atom."""
        return Atom(self.bytes_of(self.number(layout)).decode(encoding, "surrogateescape"))

    def cached_atom(self) -> Atom:
        """Read a reference to an atom of the header."""
        index = self.number(_U8)
        atom = self._cached[index] if index < len(self._cached) else None
        if atom is None:
            raise RemoteProtocolError(f"term: atom {index} of the header is not there")
        return atom

    def node(self) -> Atom:
        """Read the node of a pid, port or reference, which must be an atom at once."""
        if self.at >= self._end:
            raise _CutError
        tag = self._data[self.at]
        if tag not in _ATOM_TAGS:
            raise RemoteProtocolError(f"term: tag {tag} in place of a node name")
        self.at += 1
        return Atom(_TOKENS[tag](self))

    def pid(self, creation: struct.Struct) -> Pid:
        """Read a pid behind its tag."""
        node = self.node()
        number, serial = self.number(_U32), self.number(_U32)
        return Pid(node=node, id=number, serial=serial, creation=self.number(creation))

    def reference(self, creation: struct.Struct) -> Reference:
        """Read a reference of several words behind its tag."""
        size = self.number(_U16)
        # As in ``etf``: some emulators read a word where none is.
        if not 0 < size <= _MOST_WORDS:
            raise RemoteProtocolError(f"term: a reference of {size} words")
        node = self.node()
        number = self.number(creation)
        words = tuple(self.number(_U32) for _ in range(size))
        return Reference(node=node, creation=number, words=words)

    def old_reference(self) -> Reference:
        """Read a reference of one word, as no node has sent it for long."""
        node, word = self.node(), self.number(_U32)
        return Reference(node=node, creation=self.number(_U8), words=(word,))

    def port(self, tag: int, size: int) -> Opaque:
        """Step over a port."""
        self.node()
        return self.skipped(tag, size)

    def container(self, kind: int, layout: struct.Struct, each: int = 1) -> _Container:
        """Begin a container."""
        return _Container(kind, each * self.number(layout) + (kind == _LIST))

    def fun(self) -> _Container:
        """Begin a fun: its size, arity, unique value and index, then how many terms it keeps."""
        self._need(_FUN_HEAD)
        self.at += _FUN_HEAD
        return _Container(_FUN, 4 + self.number(_U32))

    def string(self) -> list[int]:
        """Read a list of bytes."""
        return list(self.bytes_of(self.number(_U16)))


_U8: Final = struct.Struct(">B")
_U16: Final = struct.Struct(">H")
_U32: Final = struct.Struct(">I")
_I32: Final = struct.Struct(">i")
# NEW_FUN_EXT: Size, Arity, Uniq and Index; NumFree is read apart.
_FUN_HEAD: Final = 4 + 1 + 16 + 4
_ATOM_TAGS: Final = (82, 100, 115, 118, 119)


def _big(reader: TermReader, layout: struct.Struct) -> int:
    size = reader.number(layout)
    negative = reader.number(_U8)
    number = int.from_bytes(reader.bytes_of(size), "little")
    return -number if negative else number


_TOKENS: Final[dict[int, Callable[[TermReader], Any]]] = {
    70: lambda reader: reader.skipped(70, 8),
    # The byte in addition is the number of bits that count in the last byte.
    77: lambda reader: reader.skipped(77, reader.number(_U32) + 1),
    82: TermReader.cached_atom,
    88: lambda reader: reader.pid(_U32),
    89: lambda reader: reader.port(89, 8),
    90: lambda reader: reader.reference(_U32),
    97: lambda reader: reader.number(_U8),
    98: lambda reader: reader.number(_I32),
    99: lambda reader: reader.skipped(99, 31),
    100: lambda reader: reader.atom(_U16, "latin-1"),
    101: TermReader.old_reference,
    102: lambda reader: reader.port(102, 5),
    103: lambda reader: reader.pid(_U8),
    104: lambda reader: reader.container(_TUPLE, _U8),
    105: lambda reader: reader.container(_TUPLE, _U32),
    106: lambda _: [],
    107: TermReader.string,
    108: lambda reader: reader.container(_LIST, _U32),
    109: lambda reader: reader.bytes_of(reader.number(_U32)),
    110: lambda reader: _big(reader, _U8),
    111: lambda reader: _big(reader, _U32),
    112: TermReader.fun,
    113: lambda _: _Container(_EXPORT, 3),
    114: lambda reader: reader.reference(_U8),
    115: lambda reader: reader.atom(_U8, "latin-1"),
    116: lambda reader: reader.container(_MAP, _U32, 2),
    118: lambda reader: reader.atom(_U16, "utf-8"),
    119: lambda reader: reader.atom(_U8, "utf-8"),
    120: lambda reader: reader.port(120, 12),
}
_HEADS: Final = {104: 2, 105: 5, 108: 5, 112: 30, 116: 5}


def element_spans(
    data: bytes | bytearray, start: int, end: int, cached: Sequence[Atom | None] = ()
) -> list[tuple[int, int]]:
    """Return where each element of the tuple, list, map or fun at ``start`` begins and ends.

    Those that are not there whole are left out; a list's tail is the last one.
    """
    head = _HEADS.get(data[start]) if start < end else None
    if head is None:
        return []
    reader = TermReader(data, start + head, end, cached)
    spans: list[tuple[int, int]] = []
    for _ in range(_element_count(data, start, end)):
        begin = reader.at
        _, after = reader.read()
        if after < 0:
            break
        spans.append((begin, after))
    return spans


def _element_count(data: bytes | bytearray, start: int, end: int) -> int:
    tag = data[start]
    at = start + _HEADS[tag]
    if at > end:
        return 0
    if tag == 104:  # noqa: PLR2004 - SMALL_TUPLE_EXT
        return data[start + 1]
    number = int.from_bytes(data[at - 4 : at], "big")
    # A list has a tail, a fun has module, OldIndex, OldUniq and Pid, a map has pairs.
    return {108: number + 1, 112: number + 4, 116: 2 * number}.get(tag, number)
