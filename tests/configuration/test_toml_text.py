from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.configuration.toml_text import toml_key, toml_value

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
