"""Where names are found in terms, and where they are not."""

from __future__ import annotations

import re
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

from erlconnect.distribution.etf_scanner import cut_at_end, fun_head, token_run
from erlconnect.distribution.name_mapping import CompiledMapping, atom_pattern

if TYPE_CHECKING:
    from random import Random

NAMES = ["app@127.0.0.1", "app@pod-0.app.default.svc.cluster.local", "a@b"]
PATTERNS = [atom_pattern(name) for name in NAMES]


@pytest.mark.parametrize(
    "tokens",
    [
        b"a\7",
        b"b\1\2\3\4",
        b"h\2a\1a\2",
        b"i\0\0\0\1j",
        b"l\0\0\0\1jj",
        b"t\0\0\0\1jj",
        b"R\5",
        b"F12345678",
        b"m\0\0\0\3abc",
        b"m\0\0\0\0",
        b"M\0\0\0\1\7x",
        b"k\0\3abc",
        b"n\2\1xy",
        b"w\3abc",
        b"s\3abc",
        b"XR\5" + bytes(12),
        b"xR\5" + bytes(12),
        b"YR\5" + bytes(8),
        b"gR\5" + bytes(9),
        b"fR\5" + bytes(5),
        b"Z\0\3R\5" + bytes(16),
        b"r\0\3R\5" + bytes(13),
        b"C\0\0\0\1\1R\1R\2R\3a\1",
        b"qR\1R\2a\3",
        b"\x83a\1",
    ],
)
def test_a_run_takes_every_common_token(tokens: bytes) -> None:
    match = token_run(PATTERNS).match(tokens * 3)

    assert match
    assert match.end() == 3 * len(tokens)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tag", [119, 118, 115, 100])
def test_a_run_stops_at_a_name(name: str, tag: int) -> None:
    before = b"h\2a\1"
    atom = terms.atom(name.encode(), tag)
    match = token_run(PATTERNS).match(before + atom + b"a\1")

    assert match
    if tag in (119, 115):
        assert match[1] == atom[1:]
        assert match.end() == len(before + atom)
    else:
        assert match.lastindex is None
        assert match.end() == len(before)


def test_a_run_ends_where_a_token_is_not_all_there() -> None:
    whole = b"a\1m\0\0\0\x0fXXXXXXXXXXXXXXX"
    match = token_run(PATTERNS).match(whole[:-1])

    assert match
    assert match.end() == 2


@repeatable
@given(st.randoms(use_true_random=True))
def test_a_run_ends_at_the_end_of_a_token_and_takes_no_name(random: Random) -> None:
    said = terms.Author(random, NAMES, cached=2).term(20)
    match = token_run(PATTERNS).match(said)
    assert match

    reader = Reader(said, cached=("first", "second")).term()
    end = match.start(1) if match.lastindex else match.end()
    assert all(at >= end for at, text in reader.atoms if text.decode() in NAMES)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_cut_takes_every_beginning_of_a_name(pattern: bytes) -> None:
    search = cut_at_end(PATTERNS, funs=True)
    for size in range(1, len(pattern)):
        match = search.search(b"....." + pattern[:size])
        assert match
        assert match.start() == 5


def test_a_cut_takes_nothing_else() -> None:
    search = cut_at_end(PATTERNS, funs=True)

    assert search.search(b"....." + PATTERNS[-1]) is None
    assert search.search(b".....!") is None
    assert search.search(b"p" + bytes(30)) is None


@pytest.mark.parametrize("size", range(1, 32))
def test_a_cut_takes_every_beginning_of_the_head_of_a_fun(size: int) -> None:
    head = terms.fun(b"w\3lib", terms.pid(b"R\0"))
    match = cut_at_end(PATTERNS, funs=True).search(head[:size])

    assert bool(match) == (size < 31)
    assert bool(fun_head().search(b"..." + head[:size])) == (size == 31)


def test_searches_cope_with_bytes_that_mean_something_in_patterns() -> None:
    odd = [b"\x03.@*", b"\x04[@\n]", b"\x02^$"]
    run = token_run(odd)

    for pattern in odd:
        assert re.escape(pattern) != pattern
        match = run.match(b"a\1w" + pattern)
        assert match
        assert match[1] == pattern
        assert cut_at_end(odd, funs=True).search(b"..w" + pattern[:-1])


def positions(data: bytes) -> list[int]:
    walk, names, _ = walked(data)
    assert walk.between_terms
    assert not walk.unparseable
    return names


@repeatable
@given(st.randoms(use_true_random=True), st.lists(st.integers(0, 10_000), max_size=6))
def test_names_and_funs_are_found_where_the_reference_finds_them(
    random: Random, cuts: list[int]
) -> None:
    known = terms.names(random)
    table = CompiledMapping({name: name for name in known})
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
