"""Terms in Erlang's syntax: printed as a node's shell prints them, parsed as it reads them.

What is parsed becomes a term here and is never spliced into code. Pids, ports, references and
funs with an environment cannot be written in Erlang, so they cannot be given here either.
Source: "Data Types" and "Bit Syntax Expressions" in the Erlang Reference Manual.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.etf import (
    Atom,
    Bitstring,
    Export,
    Fun,
    ImproperList,
    Map,
    Pid,
    Port,
    Record,
    Reference,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from erlconnect.distribution.etf import Term

_PLAIN_ATOM: Final = re.compile(
    r"[a-z\u00df-\u00f6\u00f8-\u00ff][0-9A-Za-z_@\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff]*"
)
_RESERVED: Final = frozenset(
    [
        *("after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case"),
        *("catch", "cond", "div", "else", "end", "fun", "if", "let", "maybe", "not", "of", "or"),
        *("orelse", "receive", "rem", "try", "when", "xor"),
    ]
)
_ESCAPES: Final = {
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\b": "\\b",
    "\f": "\\f",
    "\v": "\\v",
    "\x1b": "\\e",
    "\\": "\\\\",
}
_WHITE: Final = frozenset(map(ord, "\n\t\r\b\f\v\x1b"))
_SURROGATES: Final = range(0xD800, 0xE000)
_LARGEST_CHARACTER: Final = 0x10FFFF
# Python writes no longer number in decimal digits, because that takes time that grows squared.
_MOST_DECIMAL_BITS: Final = 14_000


def print_pieces(term: Term, pieces: Callable[[Term], Sequence[Term | str]]) -> str:
    """Return ``term`` as text; ``pieces`` gives a term as text and terms, one after the other.

    Text is a ``str`` that is no ``Atom``. No nesting is too deep.
    """
    text: list[str] = []
    waiting: list[Term | str] = [term]
    while waiting:
        one = waiting.pop()
        if type(one) is str:
            text.append(one)
        else:
            waiting += reversed(pieces(one))  # type: ignore[arg-type]
    return "".join(text)


def sorted_pairs(term: Map) -> Sequence[tuple[Term, Term]]:
    """Return the pairs of a map by their keys, where these are of one simple kind.

    From OTP 26 on a node sends them in the order of its atom table.
    """
    for kind in (Atom, bytes, int):
        if all(type(key) is kind for key, _ in term.pairs):
            return sorted(term.pairs, key=lambda pair: pair[0])  # type: ignore[arg-type, return-value]
    return term.pairs


def separated(pieces: Sequence[Term], separator: str = ",") -> list[Term | str]:
    """Return ``pieces`` with ``separator`` between them."""
    found: list[Term | str] = []
    for piece in pieces:
        found += [separator, piece]
    return found[1:]


def print_erlang(term: Term, node: str = "") -> str:
    """Return ``term`` on one line in Erlang's syntax; pids of ``node`` as that node prints them."""
    return print_pieces(term, lambda one: _erlang(one, node))


def _erlang(term: Term, node: str) -> Sequence[Term | str]:  # noqa: PLR0911 - one a kind
    match term:
        case list():
            if is_text(term):
                return [quoted("".join(map(chr, term)), '"')]
            return ["[", *separated(term), "]"]
        case tuple():
            return ["{", *separated(term), "}"]
        case Map():
            pairs = [[key, " => ", value, ","] for key, value in sorted_pairs(term)]
            return ["#{", *[piece for pair in pairs for piece in pair][:-1], "}"]
        case ImproperList():
            return ["[", *separated(term.elements), "|", term.tail, "]"]
        case Record():
            fields = [[print_atom(name), " = ", value, ","] for name, value in term.fields]
            name = f"#{print_atom(term.module)}:{print_atom(term.name)}{{"
            return [name, *[piece for field in fields for piece in field][:-1], "}"]
    return [_erlang_leaf(term, node)]


def _erlang_leaf(term: Term, node: str) -> str:  # noqa: PLR0911 - one a kind
    match term:
        case Atom():
            return print_atom(term)
        case int():
            return print_integer(term, "16#")
        case float():
            return print_float(term)
        case bytes() | Bitstring():
            return _print_binary(term)
        case Pid():
            return f"<{_place(term.node, node)}.{term.id}.{term.serial}>"
        case Export():
            return f"fun {print_atom(term.module)}:{print_atom(term.function)}/{term.arity}"
    return f"#{print_identifier(term, node)}"


def print_identifier(term: Term, node: str) -> str:
    """Return a port, a reference or a fun without the sign that it begins with."""
    match term:
        case Port():
            return f"Port<{_place(term.node, node)}.{term.id}>"
        case Reference():
            words = ".".join(str(word) for word in reversed(term.words))
            return f"Ref<{_place(term.node, node)}.{words}>"
        case Fun():
            return f"Fun<{term.module}.{term.index}.{term.old_unique}>"
    raise TypeError(f"no term is made of {type(term).__name__}")


def _place(of: str, node: str) -> str:
    """Return the node part of an identifier: 0 for the node itself, as its shell prints it."""
    return "0" if of == node else print_atom(of)


def print_atom(name: str) -> str:
    """Return an atom, quoted where Erlang needs that."""
    # A reserved word such as ``end`` is an atom only between quotes.
    plain = _PLAIN_ATOM.fullmatch(name) and name not in _RESERVED
    return str(name) if plain else quoted(name, "'")


def print_integer(number: int, base_16: str) -> str:
    """Return an integer, in hexadecimal if it has more than about 4,200 decimal digits."""
    if number.bit_length() <= _MOST_DECIMAL_BITS:
        return str(number)
    return f"{'-' if number < 0 else ''}{base_16}{abs(number):X}"


def print_float(number: float) -> str:
    """Return a number that has a point, as Erlang and Elixir need one."""
    digits, exponent, power = repr(number).partition("e")
    point = "" if "." in digits else ".0"
    return f"{digits}{point}{exponent}{int(power) if power else ''}"


def quoted(text: str, quote: str) -> str:
    """Return ``text`` between two ``quote`` characters, with Erlang's escapes."""
    escapes = {**_ESCAPES, quote: f"\\{quote}"}
    return quote + "".join(escapes.get(one) or _shown(one) for one in text) + quote


def _shown(letter: str) -> str:
    return letter if letter.isprintable() else f"\\x{{{ord(letter):X}}}"


def is_text(numbers: Sequence[object]) -> bool:
    """Return whether a list of numbers is most likely a string."""
    return bool(numbers) and all(type(one) is int and _is_printable(one) for one in numbers)


def _is_printable(number: int) -> bool:
    if not 0 <= number <= _LARGEST_CHARACTER or number in _SURROGATES:
        return False
    return number in _WHITE or chr(number).isprintable()


def _print_binary(term: bytes | Bitstring) -> str:
    if isinstance(term, Bitstring):
        *whole, last = term.data
        # The bits that count are the highest of the last byte (BIT_BINARY_EXT).
        bits = f"{last >> (8 - term.last_bits)}:{term.last_bits}"
        return f"<<{','.join([*map(str, whole), bits])}>>"
    if not term:
        return "<<>>"
    if (text := text_of(term)) is None:
        return f"<<{','.join(map(str, term))}>>"
    # Without /utf8 a string in a binary stands for one byte a character.
    return f"<<{quoted(text, chr(34))}{'' if text.isascii() else '/utf8'}>>"


def text_of(data: bytes) -> str | None:
    """Return ``data`` as the text that it most likely is; ``None`` where it is none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if is_text([*map(ord, text)]) else None


_DEEPEST: Final = 100
_TOKENS: Final = re.compile(
    r"""
    (?P<white> (?: \s | %[^\n]* )+ )
  | (?P<float> \d+(?:_\d+)* \. \d+(?:_\d+)* (?: [eE][+-]?\d+ )? )
  | (?P<based> \d{1,2} \# [0-9a-zA-Z]+(?:_[0-9a-zA-Z]+)* )
  | (?P<integer> \d+(?:_\d+)* )
  | (?P<character> \$ (?:
        \\ (?: x\{[0-9a-fA-F]+\} | x[0-9a-fA-F]{2} | \^. | [0-7]{1,3} | . ) | [^\\]
    ) )
  | (?P<binary> ~b? "(?: [^"\\] | \\. )*" )
  | (?P<string> "(?: [^"\\] | \\. )*" )
  | (?P<quoted> '(?: [^'\\] | \\. )*' )
  | (?P<pid> <\d+\.\d+\.\d+> | \#(?:Ref|Port|Fun)< )
  | (?P<name> [^\W\d_] [\w@]* )
  | (?P<variable> _ [\w@]* )
  | (?P<sign> << | >> | => | := | \#\{ | [\[\]{}(),|:/.+-] )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(
    r"\\(?:x\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{2})|\^(.)|([0-7]{1,3})|(.))", re.DOTALL
)
_ESCAPED: Final = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
    "s": " ",
    "d": "\x7f",
}


class ErlangSyntaxError(ValueError):
    """A text that is no term; the message says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_erlang(text: str) -> Term:
    """Return the term that ``text`` is in Erlang's syntax; a full stop may follow.

    Raises ``ErlangSyntaxError``.
    """
    parser = _Parser(text)
    term = parser.term(0)
    parser.skip(".")
    parser.end()
    return term


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0

    def term(self, depth: int) -> Term:  # noqa: PLR0911 - one a kind
        if depth > _DEEPEST:
            raise self._error("it is nested too deeply")
        token = self._take()
        if token.kind in _LEAVES:
            return _LEAVES[token.kind](token)
        if token.kind == "name":
            return self._name(token)
        match token.text:
            case "[":
                return self._list(depth)
            case "{":
                return tuple(self._elements("}", depth))
            case "#{":
                return self._map(depth)
            case "<<":
                return self._binary()
            case "-" | "+":
                return self._signed(token.text)
        if token.kind == "string":
            return self._string(token)
        raise self._unexpected(token)

    def skip(self, text: str) -> bool:
        if self._peek().text != text or self._peek().kind != "sign":
            return False
        self._next += 1
        return True

    def end(self) -> None:
        if self._peek().kind != "end":
            raise self._unexpected(self._peek())

    def _name(self, token: _Token) -> Term:
        if token.text == "fun":
            return self._export()
        if not token.text[0].islower():
            raise ErlangSyntaxError(
                f"{token.text} at {token.at + 1} is a variable, and there are none here; "
                f"the atom is '{token.text}', Elixir's module 'Elixir.{token.text}'"
            )
        return Atom(token.text)

    def _export(self) -> Export:
        module = self._atom()
        self._expect(":")
        function = self._atom()
        self._expect("/")
        return Export(module=module, function=function, arity=self._integer())

    def _atom(self) -> Atom:
        term = self.term(0)
        if not isinstance(term, Atom):
            raise self._error("an atom is missing")
        return term

    def _integer(self) -> int:
        term = self.term(0)
        if not isinstance(term, int):
            raise self._error("a number is missing")
        return term

    def _signed(self, sign: str) -> Term:
        number = self.term(0)
        if not isinstance(number, int | float):
            raise self._error("a number is missing behind the sign")
        return -number if sign == "-" else number

    def _string(self, token: _Token) -> Term:
        text = _unescaped(token.text[1:-1])
        # Adjacent string literals are one string in Erlang.
        while self._peek().kind == "string":
            text += _unescaped(self._take().text[1:-1])
        return [ord(letter) for letter in text]

    def _elements(self, end: str, depth: int) -> list[Term]:
        elements: list[Term] = []
        while not self.skip(end):
            if elements:
                self._expect(",")
            elements.append(self.term(depth + 1))
        return elements

    def _list(self, depth: int) -> Term:
        elements: list[Term] = []
        while not self.skip("]"):
            if elements and self.skip("|"):
                tail = self.term(depth + 1)
                self._expect("]")
                # [a | [b]] is the proper list [a, b].
                return [*elements, *tail] if isinstance(tail, list) else _improper(elements, tail)
            if elements:
                self._expect(",")
            elements.append(self.term(depth + 1))
        return elements

    def _map(self, depth: int) -> Term:
        pairs: dict[bytes, tuple[Term, Term]] = {}
        while not self.skip("}"):
            if pairs:
                self._expect(",")
            key = self.term(depth + 1)
            self._expect("=>")
            # Encoded keys, because 1 and 1.0 are one key in Python and two in Erlang.
            pairs[encode(key)] = (key, self.term(depth + 1))
        return Map(tuple(pairs.values()))

    def _binary(self) -> Term:
        bits = _Bits()
        first = True
        while not self.skip(">>"):
            if not first:
                self._expect(",")
            first = False
            self._segment(bits)
        return bits.term()

    def _segment(self, bits: _Bits) -> None:
        value = self.term(0)
        size = self._integer() if self.skip(":") else None
        types = []
        if self.skip("/"):
            types.append(self._atom())
            while self.skip("-"):
                types.append(self._atom())
        try:
            bits.add(value, size, types)
        except (ValueError, OverflowError, struct.error, UnicodeEncodeError) as error:
            raise self._error(f"a segment of a binary cannot be made: {error}") from error

    def _expect(self, text: str) -> None:
        if not self.skip(text):
            self._take()  # where it has ended, that is what is wrong
            raise ErlangSyntaxError(f"{text!r} is missing at {self._tokens[self._next - 1].at + 1}")

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind == "end":
            raise ErlangSyntaxError("it ends too early")
        self._next += 1
        return token

    def _unexpected(self, token: _Token) -> ErlangSyntaxError:
        if token.kind == "end":
            return ErlangSyntaxError("it ends too early")
        return ErlangSyntaxError(f"{token.text!r} at {token.at + 1} is out of place")

    def _error(self, message: str) -> ErlangSyntaxError:
        return ErlangSyntaxError(f"{message} at {self._peek().at + 1}")


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKENS.match(text, at)
        if found is None:
            raise ErlangSyntaxError(f"{text[at]!r} at {at + 1} begins nothing")
        kind = str(found.lastgroup)
        if kind == "pid":
            raise ErlangSyntaxError(
                f"{found.group()} at {at + 1} cannot be given: pids, ports, references and funs "
                "have no syntax in Erlang; let the node look it up by its name"
            )
        if kind != "white":
            yield _Token(kind, found.group(), at)
        at = found.end()
    yield _Token("end", "", at)


def _improper(elements: list[Term], tail: Term) -> Term:
    if isinstance(tail, ImproperList):
        return ImproperList((*elements, *tail.elements), tail.tail)
    return ImproperList(tuple(elements), tail)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_unescape, text)


def _unescape(found: re.Match[str]) -> str:
    braced, two, control, octal, letter = found.groups()
    if braced or two:
        number = int(braced or two, 16)
        if number > _LARGEST_CHARACTER:
            raise ErlangSyntaxError(f"{found.group()} is no character")
        return chr(number)
    if control:
        # $\^A is Control-A: the lower five bits of the letter.
        return chr(ord(control) & 31)
    return chr(int(octal, 8)) if octal else _ESCAPED.get(letter, letter)


def _based(token: _Token) -> Term:
    base, _, digits = token.text.partition("#")
    try:
        return int(digits, int(base))
    except ValueError as error:
        raise ErlangSyntaxError(f"{token.text} at {token.at + 1} is no number") from error


def _decimal(token: _Token) -> Term:
    try:
        return int(token.text)
    except ValueError as error:
        raise ErlangSyntaxError(
            f"the number at {token.at + 1} has too many digits; write it as 16#..."
        ) from error


def _character(token: _Token) -> Term:
    return ord(_unescaped(token.text[1:]))


_LEAVES: Final[dict[str, Callable[[_Token], Term]]] = {
    "integer": _decimal,
    "based": _based,
    "float": lambda token: float(token.text),
    "character": _character,
    "quoted": lambda token: Atom(_unescaped(token.text[1:-1])),
    "binary": lambda token: _unescaped(token.text.partition('"')[2][:-1]).encode(),
}


class _Bits:
    """The segments of a binary, put together bit by bit."""

    def __init__(self) -> None:
        self._number = 0
        self._size = 0

    def add(self, value: Term, size: int | None, types: Sequence[str]) -> None:
        """Add one segment. Raises ``ValueError`` where its type and its value do not fit."""
        unknown = set(types) - _SEGMENT_TYPES
        if unknown:
            raise ValueError(f"the type {min(unknown)} is not understood here")
        # A string in a binary is short for one segment a character: <<"ab">> is <<$a,$b>>.
        for one in value if isinstance(value, list) else [value]:
            self._add_one(one, size, types)

    def _add_one(self, value: Term, size: int | None, types: Sequence[str]) -> None:
        little = "little" in types
        match value:
            case int() if "utf8" in types:
                self._append(chr(value).encode())
            case int() if "float" in types:
                self._append_float(float(value), size, little=little)
            case int():
                self._append_integer(value, 8 if size is None else size, little=little)
            case float() if not set(types) - {"float", "little", "big"}:
                self._append_float(value, size, little=little)
            case bytes() if "binary" in types or "bytes" in types:
                self._append(value if size is None else value[:size])
            case _:
                raise ValueError("its value does not fit its type")

    def _append(self, data: bytes) -> None:
        self._append_bits(int.from_bytes(data, "big"), 8 * len(data))

    def _append_float(self, value: float, size: int | None, *, little: bool) -> None:
        layout = {64: "d", 32: "f", 16: "e", None: "d"}.get(size)
        if layout is None:
            raise ValueError("a float has 16, 32 or 64 bits")
        self._append(struct.pack(("<" if little else ">") + layout, value))

    def _append_integer(self, value: int, size: int, *, little: bool) -> None:
        if not 0 <= size <= _MOST_BITS:
            raise ValueError(f"its size is not from 0 to {_MOST_BITS}")
        # Erlang takes the lowest bits of an integer that is too large, also of a negative one.
        value &= (1 << size) - 1
        if little:
            if size % 8:
                raise ValueError("little-endian only in whole bytes")
            self._append(value.to_bytes(size // 8, "little"))
        else:
            self._append_bits(value, size)

    def _append_bits(self, value: int, size: int) -> None:
        self._number = self._number << size | value
        self._size += size

    def term(self) -> Term:
        """Return the binary, or a ``Bitstring`` if the bits do not fill whole bytes."""
        rest = self._size % 8
        # Bits that do not fill a byte stand at its high end in a Bitstring.
        number = self._number << (8 - rest) % 8
        data = number.to_bytes((self._size + 7) // 8, "big")
        return Bitstring(data, rest) if rest else data


_MOST_BITS: Final = 1 << 20
_SEGMENT_TYPES: Final = {
    *("integer", "float", "binary", "bytes", "utf8"),
    *("big", "little", "signed", "unsigned"),
}
