"""What ``tomllib`` lacks: the line on which each key stands, and writing keys and values.

The text was accepted by ``tomllib`` before, so the scanner checks nothing. tomlkit knows lines as
well, but importing it would slow down every start. TOML: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

KeyPath: TypeAlias = tuple[str, ...]
# Multi-line strings come before simple ones: three quotes would be an empty string and a quote
# otherwise. Up to two quotes before the closing delimiter belong to the text.
_TOKEN: Final = re.compile(
    r"""
    (?P<blank> [ \t\r]+ | \#[^\n]* )
    | (?P<newline> \n )
    | (?P<text> \"{3} (?:\\[\s\S]|[^\\])*? \"{3,5} | '{3} [\s\S]*? '{3,5}
              | "(?:\\.|[^"\\])*" | '[^']*' )
    | (?P<mark> [\[\]{}=,.] )
    | (?P<bare> [^\s\[\]{}=,."'\#]+ )
    """,
    re.VERBOSE,
)
_VALUE_ENDS: Final = ("\n", ",", "]", "}", "")


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the first line of each key and each table in ``text``, which has to be valid TOML.

    Paths of keys inside of arrays have no index.
    """
    return _Scanner(text).scan()


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for found in _TOKEN.finditer(text):
        if found.lastgroup not in (None, "blank"):
            yield _Token(str(found.lastgroup), found[0], line)
        line += found[0].count("\n")
    yield _Token("end", "", line)


class _Scanner:
    """Reads the tokens of one text and notes the lines of its keys."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = next(self._tokens)
        self._lines: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._next.kind != "end":
            if self._next.kind == "newline":
                self._take()
            elif self._next.text == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    def _take(self) -> _Token:
        token = self._next
        if token.kind != "end":
            self._next = next(self._tokens)
        return token

    def _header(self) -> KeyPath:
        while self._next.text == "[":
            self._take()
        # An array of tables has two brackets on each side.
        table = self._key(())
        while self._next.text == "]":
            self._take()
        return table

    def _pair(self, table: KeyPath) -> None:
        path = self._key(table)
        self._take()  # the equals sign
        self._value(path)

    def _key(self, path: KeyPath) -> KeyPath:
        while True:
            token = self._take()
            name = token.text
            if token.kind == "text":
                # Escapes in quoted keys are those of strings.
                name = tomllib.loads(f"name = {token.text}")["name"]
            path = (*path, name)
            # The first one: `[a]` and `[a.b]` both mention `a`.
            self._lines.setdefault(path, token.line)
            if self._next.text != ".":
                return path
            self._take()

    def _value(self, path: KeyPath) -> None:
        if self._next.text == "[":
            self._members("]", lambda: self._value(path))
        elif self._next.text == "{":
            self._members("}", lambda: self._pair(path))
        else:
            while self._next.text not in _VALUE_ENDS:
                self._take()

    def _members(self, end: str, member: Callable[[], None]) -> None:
        self._take()
        while self._next.text not in (end, ""):
            if self._next.text in ("\n", ","):
                self._take()
            else:
                member()
        self._take()


_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SHORT_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_LONGEST_SHORT: Final = 0xFFFF


def toml_key(keys: Iterable[str]) -> str:
    """Return a dotted key as TOML."""
    return ".".join(key if _BARE_KEY.fullmatch(key) else _quoted(key) for key in keys)


def toml_value(value: object) -> str:
    """Return a value as TOML. What is not printable, or could move the cursor, is escaped."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _quoted(value)
        case list():
            return f"[{', '.join(toml_value(one) for one in value)}]"
        case dict():
            return _inline_table(value)
        case _:
            return str(value)


def _inline_table(table: Mapping[str, object]) -> str:
    pairs = ", ".join(f"{toml_key([key])} = {toml_value(value)}" for key, value in table.items())
    return f"{{ {pairs} }}" if pairs else "{}"


def _quoted(text: str) -> str:
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04X}" if code <= _LONGEST_SHORT else f"\\U{code:08X}"
