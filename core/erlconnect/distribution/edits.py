"""Replacing pieces of a stretch of bytes: the names in it and the sizes of funs around them."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from erlconnect.distribution.atom_references import read_atom_references

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect.distribution.term_walk import Findings


class Edit(NamedTuple):
    """``data[start:end]`` becomes ``text``."""

    start: int
    end: int
    text: bytes


def name_edit(data: bytes | bytearray, position: int, table: Mapping[bytes, bytes]) -> Edit | None:
    """Give the edit of the atom whose length byte is at ``position``, if ``table`` has it."""
    end = position + 1 + data[position]
    text = table.get(bytes(data[position:end]))
    return None if text is None else Edit(position, end, text)


def header_edits(
    data: bytes | bytearray, start: int, end: int, table: Mapping[bytes, bytes]
) -> tuple[int, list[Edit]]:
    """Give where the distribution header at ``start`` ends, and the edits of its new entries."""
    terms, entries = read_atom_references(data, start, end)
    return terms, [edit for at in entries if (edit := name_edit(data, at, table))]


def term_edits(
    data: bytes | bytearray,
    end: int,
    findings: Findings,
    table: Mapping[bytes, bytes],
    *,
    may_shrink: bool,
) -> list[Edit]:
    """Give the edits of one stretch of terms that ends at ``end``, in order.

    The Size of a fun that ends inside the stretch is made exact. The Size of one that goes on
    beyond it leaves before its end is known. OTP 23 checks that so many bytes are there, later
    ones do not look at it: where names may become shorter it becomes the number of its bytes in
    this stretch, a lower bound; where they only grow the sender's number already is one.
    """
    names = [edit for at in findings.names if (edit := name_edit(data, at, table))]
    if not findings.funs:
        return names
    return sorted(names + _size_edits(names, end, findings.funs, may_shrink=may_shrink))


def _size_edits(
    names: list[Edit], end: int, funs: list[tuple[int, int]], *, may_shrink: bool
) -> list[Edit]:
    starts = [edit.start for edit in names]
    grown = [0, *accumulate(len(edit.text) - (edit.end - edit.start) for edit in names)]
    sizes = []
    for start, fun_end in funs:
        growth = grown[bisect_left(starts, fun_end)] - grown[bisect_left(starts, start)]
        if fun_end <= end:
            size = fun_end - start - 1 + growth
        elif may_shrink:
            size = end - start - 1 + growth
        else:
            continue
        if size != fun_end - start - 1:
            # A Size that lies may end inside a name; it must not become negative.
            sizes.append(Edit(start + 1, start + 5, max(0, size).to_bytes(4)))
    return sizes


def apply_edits(data: bytes | bytearray, start: int, end: int, edits: list[Edit]) -> bytes:
    """Give ``data[start:end]`` with the edits made; they are in order and do not overlap."""
    pieces = []
    for edit in edits:
        pieces += [data[start : edit.start], edit.text]
        start = edit.end
    pieces.append(data[start:end])
    return b"".join(pieces)
