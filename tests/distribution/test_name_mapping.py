from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from distribution import terms
from distribution.profile import repeatable
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.name_mapping import (
    CompiledMapping,
    NameSearch,
    atom_pattern,
    inverse,
    permutation,
)

if TYPE_CHECKING:
    from random import Random

APP = terms.pattern("app@10.0.0.1")
DEV = terms.pattern("dev@127.0.0.1")
FLOATS = b"F@\x12\0\0\0\0\0\0" * 2000
ADDRESSES = b"k\0\x09someone@." * 2000
HARD_DATA = [b"\0" * 9000, FLOATS, ADDRESSES, FLOATS + ADDRESSES, bytes(range(256)) * 40]


@pytest.mark.parametrize("data", HARD_DATA)
@pytest.mark.parametrize("name", [APP, DEV])
def test_a_name_is_found_between_whatever(data: bytes, name: bytes) -> None:
    search = NameSearch([APP, DEV])

    for at in (0, 1, 5000, len(data)):
        place = search.first_place(data[:at] + name + data[at:], 0, len(data) + len(name))
        assert at <= place < at + len(name)


@pytest.mark.parametrize("data", HARD_DATA)
def test_where_no_name_is_none_is_found(data: bytes) -> None:
    search = NameSearch([APP, DEV])

    for _ in range(2):
        assert search.first_place(data, 0, len(data)) == len(data)
        assert search.first_place(data, 100, 5000) == 5000


def test_a_byte_that_did_well_is_looked_for_first_the_next_time() -> None:
    search = NameSearch([APP, DEV])

    assert APP[search.first_place(APP, 0, len(APP))] == ord("@")
    assert search.first_place(FLOATS, 0, len(FLOATS)) == len(FLOATS)
    assert APP[search.first_place(APP, 0, len(APP))] == ord(".")


@pytest.mark.parametrize("dense", [3000, 16384, 40_000, 150_000])
@pytest.mark.parametrize("clear", [0, 3, 20_000, 150_000])
def test_a_name_behind_a_stretch_where_every_byte_is_frequent_is_found(
    dense: int, clear: int
) -> None:
    search = NameSearch([APP, DEV])
    before = (b"@.0a" * dense)[:dense] + bytes(clear)
    data = before + APP + bytes(100)

    assert len(before) <= search.first_place(data, 0, len(data)) < len(before) + len(APP)
    assert search.first_place(before, 0, len(before)) == len(before)
    assert search.first_place(data, len(before) + 3, len(data)) < len(data)


def test_names_without_a_common_byte_are_found_all_the_same() -> None:
    search = NameSearch([b"\1a", b"\1b"])

    assert search.first_place(b"..\1b", 0, 4) == 3
    assert [match.start() for match in search.engine.finditer(b"\1a\1b\1c")] == [1, 3]


def test_places_of_names_inside_each_other_are_all_given() -> None:
    short = terms.pattern("app@host-of-the-first-zone.example.org-000000")
    longer = terms.pattern("-app@host-of-the-first-zone.example.org-000000")
    search = NameSearch([short, longer])

    (match,) = search.engine.finditer(longer)
    assert {match.start() - anchor for pattern, anchor in search.anchors if pattern == longer} == {
        0
    }


def test_without_names_there_is_nothing_to_find() -> None:
    assert NameSearch([]).first_place(b"a@b", 0, 3) == 3


@repeatable
@given(st.randoms(use_true_random=True))
def test_every_order_of_bytes_gives_the_same_answer(random: Random) -> None:
    names = list(map(terms.pattern, terms.names(random)))
    search = NameSearch(names)
    for _ in range(4):
        data = random.choice(HARD_DATA)[: random.randint(0, 9000)]
        if random.random() < 0.5:
            at = random.randint(0, len(data))
            data = data[:at] + random.choice(names) + data[at:]
        place = search.first_place(data, 0, len(data))

        ends = [data.find(name) + len(name) for name in names if name in data]
        assert (place < len(data)) == bool(ends)
        assert place <= min(ends, default=len(data))


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


APP_REWRITE_TABLE = terms.pattern("app@127.0.0.1")
NAMES = {"app@127.0.0.1": "b@10.0.0.1", "b@10.0.0.1": "app@127.0.0.1"}


@pytest.fixture
def table() -> CompiledMapping:
    return CompiledMapping(NAMES)


def test_replacements_carry_the_length(table: CompiledMapping) -> None:
    assert table.replacements[APP_REWRITE_TABLE] == terms.pattern("b@10.0.0.1")


def test_a_swap_of_equal_lengths_cannot_shrink(table: CompiledMapping) -> None:
    assert table.may_shrink
    assert not CompiledMapping({"a@b": "c@d", "c@d": "a@b"}).may_shrink
    assert not CompiledMapping({}).may_shrink


@pytest.mark.parametrize("head", [b"w", b"s", b"v\0", b"d\0"])
def test_a_name_behind_the_tag_of_an_atom_occurs(table: CompiledMapping, head: bytes) -> None:
    data = b"...." + head + APP_REWRITE_TABLE + b"."

    assert table.occurs_as_atom(data, 0, len(data))
    assert not table.occurs_as_atom(data, 0, len(data) - 2)
    assert not table.occurs_as_atom(data, len(data) - len(APP_REWRITE_TABLE), len(data))


@pytest.mark.parametrize("head", [b"x", b"w\0", b"w.", b"\0\0", b"v\1", b"\x0d"])
def test_a_name_behind_anything_else_does_not(table: CompiledMapping, head: bytes) -> None:
    data = b"...." + head + APP_REWRITE_TABLE + b"."

    assert not table.occurs_as_atom(data, 0, len(data))


@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_at_the_start_the_tag_may_be_in_the_bytes_before(
    table: CompiledMapping, before: int
) -> None:
    data = b"?" * (5 + before) + APP_REWRITE_TABLE

    assert table.occurs_as_atom(data, 5, len(data)) == (before < 2)


def test_a_name_that_is_no_atom_hides_none(table: CompiledMapping) -> None:
    data = b"..." + APP_REWRITE_TABLE + b"..." + b"w" + APP_REWRITE_TABLE

    assert table.occurs_as_atom(data, 0, len(data))


def test_a_name_inside_a_longer_one_is_found() -> None:
    short = "app@host-of-the-first-zone.example.org-000000"
    table = CompiledMapping({short: "x@y", "x@y": short, "-" + short: "z@y", "z@y": "-" + short})
    assert chr(len(short)) == "-"

    for name in (short, "-" + short):
        data = b"..w" + terms.pattern(name) + b".."
        assert table.occurs_as_atom(data, 0, len(data))


def test_an_empty_table_finds_nothing() -> None:
    table = CompiledMapping({})

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
    table = CompiledMapping({name: name for name in names})

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
    assert (
        CompiledMapping({name: name for name in names}).occurs_as_atom(data, start, end) == expected
    )


@repeatable
@given(st.randoms(use_true_random=True))
def test_a_cut_takes_whatever_may_go_on_as_a_name(random: Random) -> None:
    names = terms.names(random)
    author = terms.Author(random, names)
    data = (author.noise() + author.noise())[: random.randint(0, 600)]
    shorter = random.random() < 0.5
    table = CompiledMapping({name: "a@b" if shorter else name for name in names})

    beginnings = [
        size
        for name in map(terms.pattern, names)
        for size in range(1, len(name))
        if data.endswith(name[:size])
    ]
    funs = [len(data) - at for at in range(max(0, len(data) - 30), len(data)) if data[at] == 112]
    ends = [*beginnings, *(funs if table.may_shrink else [])]
    assert table.cut_length(data, 0, len(data)) == max(ends, default=0)
