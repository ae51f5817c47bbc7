"""Lines of keys, in every way in which TOML lets people write them."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.configuration.toml import key_lines, toml_key, toml_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erlconnect.configuration.toml import KeyPath

_TEXT = '''\
# [no.table] at all
top = 1979-05-27 07:32:00 # a date with a blank in it
"quoted.key" . inner = """text
[not.a.table]
no = "key"
"""""
[table.below] # trailing
k = { a = 1, b.c = [ 1,
  { z = 2 }, # ] }
  3 ], 'd' = "}" }
float = 1.5
[[many]]
literal = \'\'\'
= \'\'\'
empty = ""
escaped = "\\"" # "
[ spaced . out ]
last = true'''


def test_every_way_to_write_a_key() -> None:
    assert key_lines(_TEXT) == {
        ("top",): 2,
        ("quoted.key",): 3,
        ("quoted.key", "inner"): 3,
        ("table",): 7,
        ("table", "below"): 7,
        ("table", "below", "k"): 8,
        ("table", "below", "k", "a"): 8,
        ("table", "below", "k", "b"): 8,
        ("table", "below", "k", "b", "c"): 8,
        ("table", "below", "k", "b", "c", "z"): 9,
        ("table", "below", "k", "d"): 10,
        ("table", "below", "float"): 11,
        ("many",): 12,
        ("many", "literal"): 13,
        ("many", "empty"): 15,
        ("many", "escaped"): 16,
        ("spaced",): 17,
        ("spaced", "out"): 17,
        ("spaced", "out", "last"): 18,
    }


def test_each_key_that_tomllib_finds_has_a_line() -> None:
    assert set(paths((), tomllib.loads(_TEXT))) == set(key_lines(_TEXT))


@pytest.mark.parametrize("text", ["", "\n", "# nothing", "\n\n#\n"])
def test_a_file_without_keys(text: str) -> None:
    assert key_lines(text) == {}


_LEAVES = st.one_of(
    st.text(), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.lists(st.text(), max_size=3)
)
_TABLES = st.dictionaries(
    st.text(max_size=8),
    st.one_of(_LEAVES, st.dictionaries(st.text(max_size=8), _LEAVES, max_size=3)),
    max_size=4,
)


@given(st.dictionaries(st.text(max_size=8), _TABLES, max_size=4))
def test_lines_of_what_is_written_as_one_line_each(content: dict[str, Any]) -> None:
    lines: list[str] = []
    expected: dict[KeyPath, int] = {}
    for name, table in content.items():
        lines += ["# a comment = {", f"[{toml_key([name])}]"]
        expected[(name,)] = len(lines)
        for key, value in table.items():
            lines.append(f"{toml_key([key])} = {toml_value(value)}")
            for path in paths((name,), {key: value}):
                expected[path] = len(lines)
    text = "\n".join(lines)
    assert tomllib.loads(text) == content
    assert key_lines(text) == expected


def paths(before: KeyPath, value: object) -> Iterator[KeyPath]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*before, key)
            yield from paths((*before, key), inner)
    elif isinstance(value, list):
        for one in value:
            yield from paths(before, one)


_VALUES = st.recursive(
    st.one_of(st.text(), st.booleans(), st.integers(-(2**63), 2**63 - 1)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)


@given(st.lists(st.text(), min_size=1, max_size=3), _VALUES)
def test_what_is_written_is_what_is_read(keys: list[str], value: object) -> None:
    read: object = tomllib.loads(f"{toml_key(keys)} = {toml_value(value)}")
    for key in keys:
        assert isinstance(read, dict)
        read = read[key]
    assert read == value


@pytest.mark.parametrize("letter", ["\x1b", "\x07", "\x7f", "\u202e", "\u200b", "\u2028"])
def test_what_would_move_the_cursor_or_hide_is_escaped(letter: str) -> None:
    assert letter not in toml_value(f"a{letter}b")
    assert letter not in toml_key([f"a{letter}b"])
    assert toml_value(letter) == f'"\\u{ord(letter):04X}"'


def test_letters_stay_letters() -> None:
    assert toml_value("Käse 🧀") == '"Käse 🧀"'
    assert toml_key(["a-b_1", "a.b", ""]) == 'a-b_1."a.b".""'
