"""Writes keys and values as TOML; what would not show, or would move the cursor, is escaped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SHORT_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_LONGEST_SHORT: Final = 0xFFFF


def toml_key(keys: Iterable[str]) -> str:
    """Write a dotted key."""
    return ".".join(key if _BARE_KEY.fullmatch(key) else _quoted(key) for key in keys)


def toml_value(value: object) -> str:
    """Write a value; dates and the like as their text."""
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
