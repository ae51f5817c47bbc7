from __future__ import annotations

from itertools import pairwise

import pytest
from distribution.profile import repeatable
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.name_table import atom_pattern, inverse, permutation

names = st.integers(0, 30).map(lambda number: f"n{number}@host")


@st.composite
def pair_lists(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Pairs that share no side."""
    locals_ = draw(st.lists(names, max_size=12, unique=True))
    remotes = draw(st.lists(names, min_size=len(locals_), max_size=len(locals_), unique=True))
    return list(zip(locals_, remotes, strict=True))


def test_a_pair_becomes_a_swap() -> None:
    table = permutation([("app@127.0.0.1", "app@10.0.0.1")])

    assert table == {"app@127.0.0.1": "app@10.0.0.1", "app@10.0.0.1": "app@127.0.0.1"}


def test_a_chain_is_closed() -> None:
    assert permutation([("a", "b"), ("b", "c")]) == {"a": "b", "b": "c", "c": "a"}


def test_a_ring_stays_a_ring() -> None:
    ring = [("a", "b"), ("b", "c"), ("c", "a")]

    assert permutation(ring) == dict(ring)


def test_equal_names_need_no_rewriting() -> None:
    assert permutation([("a", "a"), ("b", "c")]) == {"b": "c", "c": "b"}
    assert permutation([]) == {}


def test_a_pair_may_be_said_twice() -> None:
    assert permutation([("a", "b"), ("a", "b")]) == {"a": "b", "b": "a"}


@pytest.mark.parametrize(
    "pairs", [[("a", "x"), ("b", "x")], [("a", "x"), ("a", "y")], [("a", "a"), ("b", "a")]]
)
def test_pairs_that_share_a_side_are_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match="stand"):
        permutation(pairs)


@repeatable
@given(pair_lists())
def test_every_table_is_a_bijection_that_holds_the_pairs(pairs: list[tuple[str, str]]) -> None:
    table = permutation(pairs)

    assert set(table) == set(table.values())
    assert all(table.get(local, local) == remote for local, remote in pairs)
    assert all(old != new for old, new in table.items())
    assert set(table) <= {name for pair in pairs for name in pair}


@repeatable
@given(pair_lists())
def test_the_inverse_undoes_it(pairs: list[tuple[str, str]]) -> None:
    table = permutation(pairs)
    back = inverse(table)

    assert {name: back[table[name]] for name in table} == {name: name for name in table}
    assert inverse(back) == table


@repeatable
@given(st.integers(2, 40))
def test_a_long_chain_is_closed_once(length: int) -> None:
    chain = [f"n{number}" for number in range(length)]

    assert permutation(pairwise(chain))[chain[-1]] == chain[0]


def test_the_pattern_of_an_atom() -> None:
    assert atom_pattern("a@b") == b"\3a@b"
    assert atom_pattern("a@" + "b" * 253) == b"\xffa@" + b"b" * 253
    assert atom_pattern("a@é") == b"\4a@\xc3\xa9"
    with pytest.raises(ValueError, match="range"):
        atom_pattern("a" * 256)
