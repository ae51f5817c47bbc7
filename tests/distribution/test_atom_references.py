from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from distribution.profile import repeatable
from distribution.streams import Reference, references
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.atom_references import read_atom_references
from erlconnect.distribution.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    terms, found = read_atom_references(header + b"h\0", 0, len(header) + 2)

    assert terms == len(header)
    assert texts(header, found) == [entry.text for entry in entries if entry.text is not None]


@repeatable
@given(entry_lists(), st.booleans(), st.binary(max_size=5))
def test_any_header(entries: list[Reference], long_atoms: bool, before: bytes) -> None:
    header = references(entries, long_atoms=long_atoms)
    frame = bytearray(before + header + b"rest")

    terms, found = read_atom_references(frame, len(before), len(frame))

    assert terms == len(before) + len(header)
    short = [entry.text for entry in entries if entry.text is not None and len(entry.text) < 256]
    assert texts(bytes(frame), found) == short


@repeatable
@given(entry_lists(), st.booleans())
def test_every_header_cut_short_is_refused(entries: list[Reference], long_atoms: bool) -> None:
    header = references(entries, long_atoms=long_atoms)
    for end in range(0, len(header), 1 + len(header) // 300):
        with pytest.raises(RemoteProtocolError, match="distribution header"):
            read_atom_references(header + b"beyond", 0, end)


def test_the_flag_for_long_atoms_stands_behind_the_last_entry() -> None:
    one = b"\1\x18\7\0\3abc"
    two = b"\2\x88\1\7\0\3abc\x08\0\1d"

    assert read_atom_references(one, 0, len(one)) == (len(one), [4])
    assert read_atom_references(two, 0, len(two)) == (len(two), [5, 11])


def test_an_atom_of_256_bytes_or_more_is_stepped_over() -> None:
    header = b"\2\x88\1\7\1\0" + b"x" * 256 + b"\x08\0\1d"

    assert read_atom_references(header, 0, len(header)) == (len(header), [len(header) - 2])
