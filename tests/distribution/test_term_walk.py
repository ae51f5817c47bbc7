"""Where names are found in terms, and where they are not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from distribution import terms
from distribution.fragmented import APP, NAME
from distribution.profile import repeatable
from distribution.reference import Reader
from distribution.walking import walked
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.rewrite_table import RewriteTable

if TYPE_CHECKING:
    from random import Random


def positions(data: bytes) -> list[int]:
    walk, names, _ = walked(data)
    assert walk.between_terms
    assert not walk.lost
    return names


@repeatable
@given(st.randoms(use_true_random=True), st.lists(st.integers(0, 10_000), max_size=6))
def test_names_and_funs_are_found_where_the_reference_finds_them(
    random: Random, cuts: list[int]
) -> None:
    known = terms.names(random)
    table = RewriteTable({name: name for name in known})
    author = terms.Author(random, known, cached=3)
    said = b"".join(author.term(20) for _ in range(random.randint(1, 4)))
    torn = [cut % (len(said) + 1) for cut in cuts]
    if random.random() < 0.3:
        torn = list(range(0, len(said), random.randint(1, 3)))

    walk, names, funs = walked(said, torn, table)

    reader = Reader(said, cached="abc").rest()
    assert names == [at for at, text in reader.atoms if text.decode("latin-1") in known]
    assert funs == [(fun.start, fun.end) for fun in reader.funs]
    assert walk.between_terms


@pytest.mark.parametrize("tag", [119, 118, 115, 100])
def test_a_name_is_an_atom_by_any_tag(tag: int) -> None:
    said = terms.atom(APP.encode(), tag)

    assert positions(said) == [len(said) - len(APP) - 1]


@pytest.mark.parametrize(
    "said",
    [
        terms.binary(NAME),
        b"k\0\x0f" + NAME,
        b"n\x0f\0" + NAME,
        b"o\0\0\0\x0f\0" + NAME,
        b"M\0\0\0\x0f\7" + NAME,
        b"c" + (NAME * 3)[:31],
        b"F" + NAME[:8],
        terms.atom(b"w" + terms.pattern(APP)),
        terms.atom(APP.encode() + b"x" * 256),
        terms.atom(b"x" * 256 + NAME),
        terms.atom(APP.encode() + b"x"),
        terms.atom(APP[:-1].encode()),
        b"XR\0" + NAME[:12],
        b"gR\0" + NAME[:9],
        b"Z\0\4R\0" + b"1234" + NAME + b"1",
    ],
)
def test_a_name_inside_anything_else_is_none(said: bytes) -> None:
    assert positions(said) == []
    assert positions(said + NAME) == [len(said) + 1]


@pytest.mark.parametrize(
    ("head", "rest"),
    [(tag, b"\0" * size) for tag, size in terms.IDENTIFIERS.items()]
    + [
        (b"Z\0\3", b"\0" * 16),
        (b"r\0\3", b"\0" * 13),
        (b"Z\0\0", b"\0" * 4),
        (b"r\0\7", b"\0" * 29),
    ],
)
def test_the_node_of_every_identifier(head: bytes, rest: bytes) -> None:
    assert positions(head + NAME + rest + NAME) == [len(head) + 1, len(head + NAME + rest) + 1]
    assert positions(head + b"R\0" + rest + NAME) == [len(head) + 2 + len(rest) + 1]


@pytest.mark.parametrize(("size", "data"), [(0, b""), (48, b"a" * 48), (49, b"a" * 49)])
def test_sizes_around_those_that_a_run_counts(size: int, data: bytes) -> None:
    for said in (terms.binary(data), b"k" + struct.pack(">H", size) + data, terms.atom(data)):
        assert positions(said + NAME + said + NAME) == [
            len(said) + 1,
            2 * len(said) + len(NAME) + 1,
        ]


def test_a_native_record() -> None:
    said = b"C\0\0\0\2\1" + NAME + NAME + b"w\1x" + NAME + b"a\1" + NAME

    assert len(positions(said)) == 4


def test_a_list_100_000_deep() -> None:
    said = b"l\0\0\0\1" * 100_000 + NAME + b"j" * 100_000

    assert positions(said) == [500_001]


def test_a_map_and_a_tuple_of_100_000() -> None:
    pairs = b"".join(b"b" + struct.pack(">I", n) + NAME for n in range(100_000))
    said = b"t" + struct.pack(">I", 100_000) + pairs + b"i" + struct.pack(">I", 100_000)

    found = positions(said + b"a\1" * 99_999 + NAME)
    assert found == [*range(5 + 5 + 1, 5 + 20 * 100_000, 20), len(said) + 200_000 - 2 + 1]


def test_a_binary_larger_than_one_window_is_skipped() -> None:
    said = terms.binary(NAME * 20_000)

    walk, names, _ = walked(said + NAME, range(0, len(said), 65_536))
    assert names == [len(said) + 1]
    assert walk.opaque == 0
