from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from distribution import terms
from distribution.profile import repeatable
from distribution.streams import Reference, references
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.edits import (
    apply_splices,
    name_splices,
    read_atom_cache_refs,
    term_splices,
)
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf_scanner import ScanResult

if TYPE_CHECKING:
    from collections.abc import Sequence

OLD, NEW = terms.pattern("app@127.0.0.1"), terms.pattern("a@b")
SHORTER = len(OLD) - len(NEW)


def sizes(data: bytes, funs: list[tuple[int, int]], *, may_shrink: bool) -> dict[int, int]:
    """The new Size of each fun by its start; one name stands in ``data``."""
    findings = ScanResult(names=[data.index(OLD)], funs=funs)
    edits = term_splices(data, len(data), findings, {OLD: NEW}, may_shrink=may_shrink)
    assert edits == sorted(edits)
    sizes = [edit for edit in edits if edit[2] != NEW]
    assert all(end - start == 4 for start, end, _ in sizes)
    return {start - 1: int.from_bytes(text, "big") for start, _, text in sizes}


def test_edits_are_made_in_place() -> None:
    edits = [(2, 3, b"TWO"), (5, 5, b"+"), (8, 9, b"")]

    assert apply_splices(b"0123456789", 1, 10, edits) == b"1TWO34+5679"
    assert apply_splices(b"0123456789", 3, 5, []) == b"34"


def test_a_name_is_edited_with_its_length() -> None:
    data = bytearray(b"..w" + OLD + b"..")

    assert name_splices(data, [3], {OLD: NEW}) == [(3, 3 + len(OLD), NEW)]
    assert name_splices(data, [3], {NEW: OLD}) == []


def test_the_size_of_a_fun_that_ends_in_the_stretch_is_exact() -> None:
    data = b"p....[w" + OLD + b"]"

    assert sizes(data, [(0, len(data))], may_shrink=True) == {0: len(data) - 1 - SHORTER}
    assert sizes(data, [(0, len(data))], may_shrink=False) == {0: len(data) - 1 - SHORTER}


def test_a_fun_without_a_name_keeps_its_size() -> None:
    data = b"p....[]w" + OLD + b"p....[]"

    assert sizes(data, [(0, 7), (len(data) - 7, len(data))], may_shrink=True) == {}


def test_nested_funs_each_count_what_is_inside() -> None:
    data = b"p....p....w" + OLD + b"]p....]"
    inner_end = 5 + 5 + 1 + len(OLD) + 1

    funs = [(0, len(data)), (5, inner_end), (inner_end, len(data))]
    assert sizes(data, funs, may_shrink=True) == {
        0: len(data) - 1 - SHORTER,
        5: inner_end - 6 - SHORTER,
    }


@pytest.mark.parametrize("beyond", [1, 1000, 2**32 - 1])
def test_the_size_of_a_fun_that_goes_on_is_what_is_sent_of_it(beyond: int) -> None:
    data = b"p....[w" + OLD + b"]"

    sent = len(data) - 1 - SHORTER
    assert sizes(data, [(0, len(data) + beyond)], may_shrink=True) == {0: sent}
    assert sizes(data, [(0, len(data) + beyond)], may_shrink=False) == {}


def test_a_size_that_lies_does_not_become_negative() -> None:
    data = b"p....w" + OLD

    assert sizes(data, [(0, 8)], may_shrink=True) == {0: 0}


NUMBERS = [0, 1, 2, 3, 4, 5, 254, 255]


def texts(header: bytes, entries: Sequence[int]) -> list[bytes]:
    return [header[at + 1 : at + 1 + header[at]] for at in entries]


@st.composite
def entry_lists(draw: st.DrawFn) -> list[Reference]:
    text = st.one_of(st.none(), st.binary(max_size=4), st.just(b"x" * 255), st.just(b"y" * 300))
    one = st.builds(Reference, st.integers(0, 7), st.integers(0, 255), text)
    few = draw(st.lists(one, max_size=7))
    return few * draw(st.sampled_from([1, 1, 1, 36]))


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("long_atoms", [False, True])
def test_new_entries_are_found(number: int, long_atoms: bool) -> None:
    entries = [Reference(i % 8, i % 256, b"a%d" % i if i % 3 else None) for i in range(number)]
    header = references(entries, long_atoms=long_atoms)

    terms, found = read_atom_cache_refs(header + b"h\0", 0, len(header) + 2)

    assert terms == len(header)
    assert texts(header, found) == [entry.text for entry in entries if entry.text is not None]


@repeatable
@given(entry_lists(), st.booleans(), st.binary(max_size=5))
def test_any_header(entries: list[Reference], long_atoms: bool, before: bytes) -> None:
    header = references(entries, long_atoms=long_atoms)
    frame = bytearray(before + header + b"rest")

    terms, found = read_atom_cache_refs(frame, len(before), len(frame))

    assert terms == len(before) + len(header)
    short = [entry.text for entry in entries if entry.text is not None and len(entry.text) < 256]
    assert texts(bytes(frame), found) == short


@repeatable
@given(entry_lists(), st.booleans())
def test_every_header_cut_short_is_refused(entries: list[Reference], long_atoms: bool) -> None:
    header = references(entries, long_atoms=long_atoms)
    for end in range(0, len(header), 1 + len(header) // 300):
        with pytest.raises(RemoteProtocolError, match="distribution header"):
            read_atom_cache_refs(header + b"beyond", 0, end)


def test_the_flag_for_long_atoms_stands_behind_the_last_entry() -> None:
    one = b"\1\x18\7\0\3abc"
    two = b"\2\x88\1\7\0\3abc\x08\0\1d"

    assert read_atom_cache_refs(one, 0, len(one)) == (len(one), [4])
    assert read_atom_cache_refs(two, 0, len(two)) == (len(two), [5, 11])


def test_an_atom_of_256_bytes_or_more_is_stepped_over() -> None:
    header = b"\2\x88\1\7\1\0" + b"x" * 256 + b"\x08\0\1d"

    assert read_atom_cache_refs(header, 0, len(header)) == (len(header), [len(header) - 2])
