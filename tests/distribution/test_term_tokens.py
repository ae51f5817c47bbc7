from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from distribution import terms
from distribution.profile import repeatable
from distribution.reference import Reader
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.name_table import atom_pattern
from erlconnect.distribution.term_tokens import cut_at_end, fun_head, token_run

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
