"""The terms of the external term format as Python values, for our own client.

Every tag of the format is decoded. What links carry is walked (``term_walk``) and never built.
Decoding does not recurse, so that no nesting that a peer sends ends in a ``RecursionError``; depth,
sizes and the number of terms have bounds.

An Erlang string is a list of numbers here as it is there. ``float`` and ``int`` are told apart by
their types: ``1 == 1.0`` holds in Python, and ``1 =:= 1.0`` does not in Erlang.

Source: "External Term Format".
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from erlconnect.distribution.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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
class Port:
    """The port identifier of a node."""

    node: str
    id: int
    creation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference; ``words`` are one to five 32-bit numbers."""

    node: str
    creation: int
    words: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bitstring:
    """A binary of which only the highest ``last_bits`` (1 to 7) of the last byte count."""

    data: bytes
    last_bits: int


@dataclass(frozen=True, slots=True)
class ImproperList:
    """``[a, b | tail]``; ``tail`` is no list."""

    elements: tuple[Term, ...]
    tail: Term


@dataclass(frozen=True, slots=True)
class Map:
    """A map by its pairs: an Erlang key may be a list or a map, which is no key of a ``dict``."""

    pairs: tuple[tuple[Term, Term], ...] = ()

    def get(self, key: Term) -> Term | None:
        """Return the value of ``key``, or ``None``."""
        return next((value for one, value in self.pairs if _same(one, key)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """``fun module:function/arity``."""

    module: str
    function: str
    arity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fun:
    """A fun of a module, with what it closes over in ``free``.

    ``arity`` and ``unique`` (16 bytes) are ``None`` in the form from before OTP R9.
    """

    module: str
    index: int
    old_index: int
    old_unique: int
    pid: Pid
    free: tuple[Term, ...]
    arity: int | None = None
    unique: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A native record of OTP 29; ``flags`` is a byte of its definition, kept as it came."""

    module: str
    name: str
    fields: tuple[tuple[str, Term], ...]
    flags: int


Term: TypeAlias = (
    "Atom | int | float | bytes | Bitstring | Pid | Port | Reference | Export | Fun | Record | "
    "Map | ImproperList | tuple[Term, ...] | list[Any]"
)
DEEPEST: Final = 256
"""How deep a term may be: Python compares, hashes and prints nested values by recursion."""
MOST_TERMS: Final = 5_000_000
"""How many terms one may consist of: each may take some 60 bytes of memory, and 1 on the wire."""
_BYTE: Final = 255
_OLD_PORTS: Final = 2**28  # OTP 23 knows no larger ones, nor their tag
# INTEGER_EXT is a signed 32-bit number; anything outside is SMALL_BIG_EXT or LARGE_BIG_EXT.
_SMALLEST, _LARGEST = -(2**31), 2**31 - 1
# The length of ATOM_UTF8_EXT has 16 bits.
_LONGEST_ATOM: Final = 65535
_MOST_INFLATED: Final = 256 * 1024 * 1024


def _same(one: Term, other: Term) -> bool:
    return type(one) is type(other) and one == other


class _Written(bytes):
    """Bytes that are encoded already, among terms that are not."""

    __slots__ = ()


def encode(term: Term) -> bytes:
    """Return ``term`` without the version byte. Raises ``TypeError`` for what is no term."""
    encoded: list[bytes] = []
    waiting: list[Term] = [term]
    while waiting:
        one = waiting.pop()
        if isinstance(one, _Written):
            encoded.append(one)
            continue
        head, parts = _encode_head(one)
        encoded.append(head)
        # The stack is read from its end, so the first part has to be put there last.
        waiting += reversed(parts)
    return b"".join(encoded)


def _encode_head(term: Term) -> tuple[bytes, Sequence[Term]]:  # noqa: PLR0911 - one a kind
    """Return the bytes that ``term`` begins with, and the terms that follow them."""
    match term:
        case tuple():
            small = len(term) <= _BYTE
            head = bytes((104, len(term))) if small else b"i" + struct.pack(">I", len(term))
            return head, term
        case list():
            if not term:
                return b"j", ()
            return b"l" + struct.pack(">I", len(term)), [*term, _Written(b"j")]
        case ImproperList():
            head = b"l" + struct.pack(">I", len(term.elements))
            return head, [*term.elements, term.tail]
        case Map():
            parts = [part for pair in term.pairs for part in pair]
            return b"t" + struct.pack(">I", len(term.pairs)), parts
        case Fun():
            return _encode_fun(term)
        case Record():
            names = [Atom(name) for name in (term.module, term.name)]
            names += [Atom(name) for name, _ in term.fields]
            head = b"C" + struct.pack(">IB", len(term.fields), term.flags)
            return head, [*names, *(value for _, value in term.fields)]
        case _:
            return _encode_leaf(term), ()


def _encode_leaf(term: Term) -> bytes:  # noqa: PLR0911 - one a kind
    match term:
        case Atom():
            return _encode_atom(term)
        # ``bool`` is a subclass of ``int``: without this, True would be sent as 1.
        case bool():
            raise TypeError("a bool is no term: say Atom('true') or Atom('false')")
        case int():
            return _encode_integer(term)
        case float():
            # NEW_FLOAT_EXT is an IEEE 754 double, but Erlang has neither infinities nor NaN.
            if not math.isfinite(term):
                raise TypeError(f"no term is {term}")
            return b"F" + struct.pack(">d", term)
        case bytes():
            return b"m" + struct.pack(">I", len(term)) + term
        case Bitstring():
            return b"M" + struct.pack(">IB", len(term.data), term.last_bits) + term.data
        case Export():
            names = _encode_atom(term.module) + _encode_atom(term.function)
            return b"q" + names + bytes((97, term.arity))
        case _:
            return _encode_identifier(term)


def _encode_identifier(term: Term) -> bytes:
    match term:
        case Pid():
            numbers = struct.pack(">III", term.id, term.serial, term.creation)
            return b"X" + _encode_atom(term.node) + numbers
        case Port() if term.id < _OLD_PORTS:
            return b"Y" + _encode_atom(term.node) + struct.pack(">II", term.id, term.creation)
        case Port():
            return b"x" + _encode_atom(term.node) + struct.pack(">QI", term.id, term.creation)
        case Reference():
            numbers = struct.pack(f">{1 + len(term.words)}I", term.creation, *term.words)
            return b"Z" + struct.pack(">H", len(term.words)) + _encode_atom(term.node) + numbers
    raise TypeError(f"no term is made of {type(term).__name__}")


def _encode_atom(name: str) -> bytes:
    text = name.encode()
    if len(text) <= _BYTE:
        return bytes((119, len(text))) + text
    if len(text) > _LONGEST_ATOM:
        raise TypeError("no atom is that long")
    return b"v" + struct.pack(">H", len(text)) + text


def _encode_integer(number: int) -> bytes:
    if 0 <= number <= _BYTE:
        return bytes((97, number))
    if _SMALLEST <= number <= _LARGEST:
        return b"b" + struct.pack(">i", number)
    size = (abs(number).bit_length() + 7) // 8
    head = bytes((110, size)) if size <= _BYTE else b"o" + struct.pack(">I", size)
    return head + bytes([number < 0]) + abs(number).to_bytes(size, "little")


def _encode_fun(fun: Fun) -> tuple[bytes, Sequence[Term]]:
    count = struct.pack(">I", len(fun.free))
    if fun.arity is None or fun.unique is None:
        head = b"u" + count + encode(fun.pid) + _encode_atom(fun.module)
        return head + _encode_integer(fun.index) + _encode_integer(fun.old_unique), fun.free
    body = bytes([fun.arity]) + fun.unique + struct.pack(">I", fun.index) + count
    body += _encode_atom(fun.module)
    body += _encode_integer(fun.old_index) + _encode_integer(fun.old_unique) + encode(fun.pid)
    free = b"".join(map(encode, fun.free))
    # The size counts itself and all that follows it.
    return b"p" + struct.pack(">I", 4 + len(body) + len(free)) + body + free, ()


def decode(data: bytes, start: int = 0) -> tuple[Term, int]:
    """Return the term that begins at ``start``, behind the version byte, and where it ends.

    Raises ``RemoteProtocolError`` where it is cut off, nested too deeply, too large or of a kind
    that does not exist.
    """
    reader = _Reader(data, start)
    try:
        if data[start : start + 1] == _COMPRESSED:
            return reader.compressed()
        return reader.term(), reader.at
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"a term: cut off at {reader.at}") from error


class _Composite:
    """A term of which ``wanted`` parts are still to be read before ``build`` makes it."""

    __slots__ = ("build", "parts", "wanted")

    def __init__(self, wanted: int, build: Callable[[list[Any]], Term]) -> None:
        self.wanted = wanted
        self.build = build
        self.parts: list[Term] = []


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._bytes = data
        self.at = at

    def term(self) -> Term:
        """Read one term; composite ones wait on a list until their last part is there."""
        waiting: list[_Composite] = []
        for _ in range(MOST_TERMS):
            tag = self._bytes[self.at]
            self.at += 1
            if leaf := _LEAVES.get(tag):
                term = leaf(self)
            else:
                composite = self._composite(tag)
                if composite.wanted:
                    if len(waiting) == DEEPEST:
                        raise RemoteProtocolError(f"a term: nested too deeply at {self.at - 1}")
                    waiting.append(composite)
                    continue
                term = composite.build([])
            while waiting:
                innermost = waiting[-1]
                innermost.parts.append(term)
                if len(innermost.parts) < innermost.wanted:
                    break
                term = waiting.pop().build(innermost.parts)
            else:
                return term
        raise RemoteProtocolError(f"a term: of more than {MOST_TERMS} others")

    def compressed(self) -> tuple[Term, int]:
        """Read a term of which zlib made less bytes; nodes do not send such ones to each other."""
        self.at += 1
        size = self.number(">I")
        if size > _MOST_INFLATED:
            raise RemoteProtocolError(f"a term: {size} bytes when it is inflated")
        inflater = zlib.decompressobj()
        try:
            # The second argument bounds the output, whatever the size before it promised.
            inflated = inflater.decompress(self._bytes[self.at :], size)
        except zlib.error as error:
            raise RemoteProtocolError(f"a term: not compressed at {self.at}") from error
        # A term compressed in itself would multiply the limit on inflated bytes.
        term, _ = decode(inflated) if inflated[:1] != _COMPRESSED else (None, 0)
        if term is None:
            raise RemoteProtocolError(f"a term: compressed twice at {self.at}")
        return term, len(self._bytes) - len(inflater.unused_data)

    def _composite(self, tag: int) -> _Composite:
        if tag in _COUNTS:
            size = self._possible(self.number(_COUNTS[tag]))
            if tag == _LIST:
                # LIST_EXT has its elements and then a tail, which is NIL_EXT in a proper list.
                return _Composite(size + 1, _list)
            if tag == _MAP:
                return _Composite(self._possible(2 * size), _map)
            return _Composite(size, tuple)
        if tag == _NEW_FUN:
            return self._fun()
        if tag == _OLD_FUN:
            return self._old_fun()
        if tag == _RECORD:
            return self._record()
        raise RemoteProtocolError(f"a term: tag {tag} at {self.at - 1} is not understood")

    def _fun(self) -> _Composite:
        self.number(">I")  # the size of the whole, which the parts tell, too
        arity = self.number(">B")
        unique = self.data(16)
        index, free = self.number(">I"), self._possible(self.number(">I"))
        module, old_index, old_unique = self.name(), self.integer(), self.integer()
        pid = self.identifier_of_process()

        def build(parts: list[Any]) -> Term:
            return Fun(
                module=module,
                index=index,
                old_index=old_index,
                old_unique=old_unique,
                pid=pid,
                free=tuple(parts),
                arity=arity,
                unique=unique,
            )

        return _Composite(free, build)

    def _old_fun(self) -> _Composite:
        free = self._possible(self.number(">I"))
        pid, module = self.identifier_of_process(), self.name()
        index, unique = self.integer(), self.integer()

        def build(parts: list[Any]) -> Term:
            return Fun(
                module=module,
                index=index,
                old_index=index,
                old_unique=unique,
                pid=pid,
                free=tuple(parts),
            )

        return _Composite(free, build)

    def _record(self) -> _Composite:
        size = self._possible(self.number(">I"))
        flags = self.number(">B")
        module, name = self.name(), self.name()
        fields = [self.name() for _ in range(size)]

        def build(parts: list[Any]) -> Term:
            pairs = tuple(zip(fields, parts, strict=True))
            return Record(module=module, name=name, fields=pairs, flags=flags)

        return _Composite(size, build)

    def export(self) -> Export:
        module, function, arity = self.name(), self.name(), self.integer()
        return Export(module=module, function=function, arity=arity)

    def pid(self, creation: str) -> Pid:
        node, number, serial = self.name(), self.number(">I"), self.number(">I")
        return Pid(node=node, id=number, serial=serial, creation=self.number(creation))

    def port(self, number: str, creation: str) -> Port:
        return Port(node=self.name(), id=self.number(number), creation=self.number(creation))

    def reference(self, creation: str) -> Reference:
        size = self.number(">H")
        if not 0 < size <= _MOST_WORDS:
            # Emulators without the mend of CVE-2026-116293 read a word where none is.
            raise RemoteProtocolError(f"a term: a reference of {size} words at {self.at}")
        node, made = self.name(), self.number(creation)
        words = tuple(self.number(">I") for _ in range(size))
        return Reference(node=node, creation=made, words=words)

    def old_reference(self) -> Reference:
        node, word = self.name(), self.number(">I")
        return Reference(node=node, creation=self.number(">B"), words=(word,))

    def name(self) -> Atom:
        """Read what has to be an atom, and nothing that could hold another term."""
        term = self._only(_ATOMS, "no atom")
        assert isinstance(term, Atom)  # noqa: S101 - by its tag
        return term

    def integer(self) -> int:
        """Read what has to be a number of the two short forms."""
        term = self._only(_SHORT_INTEGERS, "no number")
        assert isinstance(term, int)  # noqa: S101 - by its tag
        return term

    def identifier_of_process(self) -> Pid:
        """Read what has to be a pid."""
        term = self._only(_PIDS, "no pid")
        assert isinstance(term, Pid)  # noqa: S101 - by its tag
        return term

    def _only(self, tags: frozenset[int], otherwise: str) -> Term:
        tag = self.number(">B")
        if tag not in tags:
            raise RemoteProtocolError(f"a term: {otherwise} at {self.at - 1}")
        return _LEAVES[tag](self)

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
        return bytes(piece)

    def atom(self, size: str, encoding: str) -> Atom:
        return Atom(self.data(self.number(size)).decode(encoding))

    def big(self, size: str) -> int:
        length, sign = self.number(size), self.number(">B")
        number = int.from_bytes(self.data(length), "little")
        return -number if sign else number

    def new_float(self) -> float:
        (number,) = struct.unpack(">d", self.data(8))
        return self._finite(number)

    def old_float(self) -> float:
        try:
            return self._finite(float(self.data(31).rstrip(b"\0").decode("ascii")))
        except ValueError as error:
            raise RemoteProtocolError(f"a term: no number before {self.at}") from error

    def _finite(self, number: float) -> float:
        if not math.isfinite(number):
            raise RemoteProtocolError(f"a term: no number before {self.at}")
        return number

    def bitstring(self) -> Term:
        size, bits = self.number(">I"), self.number(">B")
        data = self.data(size)
        # BIT_BINARY_EXT allows 8, which is a binary of whole bytes.
        if bits == 8:  # noqa: PLR2004 - a whole byte
            return data
        if not 0 < bits < 8 or not data:  # noqa: PLR2004
            raise RemoteProtocolError(f"a term: no bitstring before {self.at}")
        return Bitstring(data, bits)


def _list(parts: list[Any]) -> Term:
    tail = parts.pop()
    if tail == [] and isinstance(tail, list):
        return parts
    if isinstance(tail, list):
        return parts + tail
    # LIST_EXT with no elements is its tail.
    return ImproperList(tuple(parts), tail) if parts else tail


def _map(parts: list[Any]) -> Term:
    return Map(tuple(zip(parts[::2], parts[1::2], strict=True)))


_COMPRESSED: Final = b"P"
_LIST: Final = 108
_MAP: Final = 116
_NEW_FUN: Final = 112
_OLD_FUN: Final = 117
_RECORD: Final = 67
_MOST_WORDS: Final = 5
_COUNTS: Final = {104: ">B", 105: ">I", _LIST: ">I", _MAP: ">I"}
_ATOMS: Final = frozenset((100, 115, 118, 119))
_SHORT_INTEGERS: Final = frozenset((97, 98))
_PIDS: Final = frozenset((88, 103))
_LEAVES: Final[dict[int, Callable[[_Reader], Term]]] = {
    70: _Reader.new_float,
    77: _Reader.bitstring,
    88: lambda reader: reader.pid(">I"),
    89: lambda reader: reader.port(">I", ">I"),
    90: lambda reader: reader.reference(">I"),
    97: lambda reader: reader.number(">B"),
    98: lambda reader: reader.number(">i"),
    99: _Reader.old_float,
    # ATOM_EXT and SMALL_ATOM_EXT (115) are deprecated and Latin-1, the newer tags UTF-8.
    100: lambda reader: reader.atom(">H", "latin-1"),
    101: _Reader.old_reference,
    # The old tags of ports, pids and references have a creation of one byte.
    102: lambda reader: reader.port(">I", ">B"),
    103: lambda reader: reader.pid(">B"),
    106: lambda _: [],
    # STRING_EXT is a list of bytes, sent in short form; Erlang sees no difference.
    107: lambda reader: list(reader.data(reader.number(">H"))),
    109: lambda reader: reader.data(reader.number(">I")),
    110: lambda reader: reader.big(">B"),
    111: lambda reader: reader.big(">I"),
    113: _Reader.export,
    114: lambda reader: reader.reference(">B"),
    115: lambda reader: reader.atom(">B", "latin-1"),
    118: lambda reader: reader.atom(">H", "utf-8"),
    119: lambda reader: reader.atom(">B", "utf-8"),
    120: lambda reader: reader.port(">Q", ">I"),
}
