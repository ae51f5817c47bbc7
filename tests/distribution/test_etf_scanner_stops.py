"""A walk that stops: inside a token, at a tag it does not know, and goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from distribution import terms
from distribution.fragmented import NAME
from distribution.profile import repeatable
from distribution.walking import walked
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.etf_scanner import ScanResult

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_the_inside_of_a_binary_is_opaque_until_its_end() -> None:
    walk, _, _ = walked(terms.binary(bytes(100))[:25])

    assert walk.opaque == 80
    assert not walk.between_terms


@pytest.mark.parametrize("end", range(1, len(NAME)))
def test_a_token_that_is_not_all_there_is_given_back(end: int) -> None:
    walk, names, _ = walked(b"a\1" + NAME[:end])
    assert not walk.between_terms

    assert walk.give_back(100) == end
    assert walk.between_terms
    found = ScanResult()
    walk.advance(NAME, 0, len(NAME), found)
    assert (names, found.names) == ([], [1])


def test_a_token_is_given_back_in_part() -> None:
    walk, _, _ = walked(b"a\1" + NAME[:9])

    assert walk.give_back(4) == 4
    assert not walk.between_terms
    found = ScanResult()
    walk.advance(NAME, 5, len(NAME), found)
    assert found.names == [5 - 5 + 1]
    assert walk.give_back(4) == 0


@pytest.mark.parametrize("tag", [0, 1, 78, 80, 121, 255])
def test_an_unknown_tag_loses_the_rest(tag: int) -> None:
    walk, names, _ = walked(b"h\3" + NAME + bytes([tag]) + NAME, [20])

    assert walk.unparseable
    assert names == [3]
    assert walk.opaque > 1 << 40


@pytest.mark.parametrize("head", [b"X", b"Z\0\1", b"e"])
@pytest.mark.parametrize("wrong", [b"a\1", b"X", b"m\0\0\0\0", b"p\0\0\0\0", b"Z\0\0", b"\xff"])
def test_a_node_that_is_no_known_atom_loses_the_rest(head: bytes, wrong: bytes) -> None:
    walk, names, _ = walked(NAME + head + wrong + NAME)

    assert walk.unparseable
    assert names == [1]


@repeatable
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_garbage_is_walked_alike_in_any_split(data: bytes, cuts: list[int]) -> None:
    def outcome(torn: Sequence[int]) -> object:
        walk, names, funs = walked(data, torn)
        return walk.unparseable, names, funs, walk.between_terms

    assert outcome([cut % (len(data) + 1) for cut in cuts]) == outcome(())
