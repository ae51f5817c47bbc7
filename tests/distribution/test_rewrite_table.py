from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from distribution import terms
from distribution.profile import repeatable
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.rewrite_table import RewriteTable

if TYPE_CHECKING:
    from random import Random

APP = terms.pattern("app@127.0.0.1")
NAMES = {"app@127.0.0.1": "b@10.0.0.1", "b@10.0.0.1": "app@127.0.0.1"}


@pytest.fixture
def table() -> RewriteTable:
    return RewriteTable(NAMES)


def test_replacements_carry_the_length(table: RewriteTable) -> None:
    assert table.replacements[APP] == terms.pattern("b@10.0.0.1")


def test_a_swap_of_equal_lengths_cannot_shrink(table: RewriteTable) -> None:
    assert table.may_shrink
    assert not RewriteTable({"a@b": "c@d", "c@d": "a@b"}).may_shrink
    assert not RewriteTable({}).may_shrink


@pytest.mark.parametrize("head", [b"w", b"s", b"v\0", b"d\0"])
def test_a_name_behind_the_tag_of_an_atom_occurs(table: RewriteTable, head: bytes) -> None:
    data = b"...." + head + APP + b"."

    assert table.occurs_as_atom(data, 0, len(data))
    assert not table.occurs_as_atom(data, 0, len(data) - 2)
    assert not table.occurs_as_atom(data, len(data) - len(APP), len(data))


@pytest.mark.parametrize("head", [b"x", b"w\0", b"w.", b"\0\0", b"v\1", b"\x0d"])
def test_a_name_behind_anything_else_does_not(table: RewriteTable, head: bytes) -> None:
    data = b"...." + head + APP + b"."

    assert not table.occurs_as_atom(data, 0, len(data))


@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_at_the_start_the_tag_may_be_in_the_bytes_before(table: RewriteTable, before: int) -> None:
    data = b"?" * (5 + before) + APP

    assert table.occurs_as_atom(data, 5, len(data)) == (before < 2)


def test_a_name_that_is_no_atom_hides_none(table: RewriteTable) -> None:
    data = b"..." + APP + b"..." + b"w" + APP

    assert table.occurs_as_atom(data, 0, len(data))


def test_a_name_inside_a_longer_one_is_found() -> None:
    short = "app@host-of-the-first-zone.example.org-000000"
    table = RewriteTable({short: "x@y", "x@y": short, "-" + short: "z@y", "z@y": "-" + short})
    assert chr(len(short)) == "-"

    for name in (short, "-" + short):
        data = b"..w" + terms.pattern(name) + b".."
        assert table.occurs_as_atom(data, 0, len(data))


def test_an_empty_table_finds_nothing() -> None:
    table = RewriteTable({})

    assert table.first_place(b"w\3a@b", 0, 5) == 5
    assert not table.occurs_as_atom(b"w\3a@b", 0, 5)
    assert table.cut_length(b"w\3a@b", 0, 5) == 0


@repeatable
@given(st.randoms(use_true_random=True))
def test_the_first_place_is_in_the_first_occurrence(random: Random) -> None:
    names = terms.names(random)
    author = terms.Author(random, names)
    data = b"".join(author.noise() for _ in range(random.randint(0, 8)))
    start = random.randint(0, len(data))
    end = random.randint(start, len(data))
    table = RewriteTable({name: name for name in names})

    found = {
        at
        for name in map(terms.pattern, names)
        for at in range(start, end - len(name) + 1)
        if data.startswith(name, at)
    }
    place = table.first_place(data, start, end)
    assert (place < end) >= bool(found)
    if found:
        assert place <= min(at + len(terms.pattern(n)) for at in found for n in names)


@repeatable
@given(st.randoms(use_true_random=True))
def test_a_name_occurs_as_atom_where_a_plain_search_says_so(random: Random) -> None:
    names = terms.names(random)
    author = terms.Author(random, names)
    data = b"".join(author.noise() for _ in range(random.randint(0, 8)))
    start = random.randint(0, len(data))
    end = random.randint(start, len(data))

    def plausible(at: int) -> bool:
        before = data[:at]
        return at < start + 2 or before.endswith((b"w", b"s", b"v\0", b"d\0"))

    expected = any(
        data.startswith(name, at) and plausible(at)
        for name in map(terms.pattern, names)
        for at in range(start, end - len(name) + 1)
    )
    assert RewriteTable({name: name for name in names}).occurs_as_atom(data, start, end) == expected


@repeatable
@given(st.randoms(use_true_random=True))
def test_a_cut_takes_whatever_may_go_on_as_a_name(random: Random) -> None:
    names = terms.names(random)
    author = terms.Author(random, names)
    data = (author.noise() + author.noise())[: random.randint(0, 600)]
    shorter = random.random() < 0.5
    table = RewriteTable({name: "a@b" if shorter else name for name in names})

    beginnings = [
        size
        for name in map(terms.pattern, names)
        for size in range(1, len(name))
        if data.endswith(name[:size])
    ]
    funs = [len(data) - at for at in range(max(0, len(data) - 30), len(data)) if data[at] == 112]
    ends = [*beginnings, *(funs if table.may_shrink else [])]
    assert table.cut_length(data, 0, len(data)) == max(ends, default=0)
