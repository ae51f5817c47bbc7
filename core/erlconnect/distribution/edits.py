"""Replacing pieces of a stretch of bytes: the names in it and the sizes of funs around them."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from erlconnect.distribution.atom_references import read_atom_references

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from erlconnect.distribution.term_walk import Findings


Edit = tuple[int, int, bytes]
"""``(start, end, text)``: ``data[start:end]`` becomes ``text``."""


def name_edits(
    data: bytes | bytearray, positions: Iterable[int], table: Mapping[bytes, bytes]
) -> list[Edit]:
    """Give the edits of the atoms whose length bytes are there, of those that ``table`` has."""
    edits = []
    for start in positions:
        end = start + 1 + data[start]
        text = table.get(bytes(data[start:end]))
        if text is not None:
            edits.append((start, end, text))
    return edits


def header_edits(
    data: bytes | bytearray, start: int, end: int, table: Mapping[bytes, bytes]
) -> tuple[int, list[Edit]]:
    """Give where the distribution header at ``start`` ends, and the edits of its new entries."""
    terms, entries = read_atom_references(data, start, end)
    return terms, name_edits(data, entries, table) if entries else []


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
    names = name_edits(data, findings.names, table)
    if not findings.funs:
        return names
    return sorted(names + _size_edits(names, end, findings.funs, may_shrink=may_shrink))


def _size_edits(
    names: list[Edit], end: int, funs: list[tuple[int, int]], *, may_shrink: bool
) -> list[Edit]:
    starts = [start for start, _, _ in names]
    grown = [0, *accumulate(len(text) - (end - start) for start, end, text in names)]
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
            sizes.append((start + 1, start + 5, max(0, size).to_bytes(4)))
    return sizes


def apply_edits(data: bytes | bytearray, start: int, end: int, edits: list[Edit]) -> bytes:
    """Give ``data[start:end]`` with the edits made; they are in order and do not overlap."""
    pieces: list[bytes | bytearray] = []
    for edit_start, edit_end, text in edits:
        pieces += (data[start:edit_start], text)
        start = edit_end
    pieces.append(data[start:end])
    return b"".join(pieces)
