"""Splices: replacements of bytes in a frame, of names and of the Size of funs around them.

Names stand in two places. New entries of the atom cache, in the distribution header, carry the text
of an atom; a relay that rewrites this text in place, and keeps the slot, needs no cache of its own.
Other atoms stand in the terms, where ``etf_scanner`` finds them.
Source: "Distribution Header" in the External Term Format chapter.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from erlconnect.distribution.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from erlconnect.distribution.etf_scanner import ScanResult

# Four bits for each of at most 255 references; the highest one says that the entry is new.
_NEW_ENTRIES = int.from_bytes(b"\x88" * 128)


def read_atom_cache_refs(frame: bytes | bytearray, start: int, end: int) -> tuple[int, list[int]]:
    """Read the atom cache references at ``start``, where the byte with their number is.

    Return where the terms begin, and for each new entry where the low byte of its length is; the
    text follows that byte. Raises ``RemoteProtocolError`` where they do not end before ``end``.
    """
    if start >= end:
        raise RemoteProtocolError("distribution header: it ends before it begins")
    number = frame[start]
    if number == 0:
        return start + 1, []
    flags_at = start + 1
    position = flags_at + number // 2 + 1
    if position > end:
        raise RemoteProtocolError("distribution header: it ends inside its flags")
    flags = int.from_bytes(frame[flags_at:position], "little")
    # The half byte behind the last reference tells whether lengths have one byte or two.
    long_atoms = flags >> 4 * number & 1
    new = flags & _NEW_ENTRIES & (1 << 4 * number) - 1
    if not new and position + number <= end:
        return position + number, []
    new_entries: list[int] = []
    read = 0
    while new:
        index = (new & -new).bit_length() // 4 - 1
        length_at = position + index - read + 1
        position = _step_over_text(frame, length_at, end, long_atoms, new_entries)
        read = index + 1
        new &= new - 1
    position += number - read
    if position > end:
        raise RemoteProtocolError("distribution header: it ends inside its references")
    return position, new_entries


def _step_over_text(
    frame: bytes | bytearray, length_at: int, end: int, long_atoms: int, new_entries: list[int]
) -> int:
    low_byte = length_at + long_atoms
    if low_byte >= end:
        raise RemoteProtocolError("distribution header: it ends inside a new entry")
    high_byte = frame[length_at] if long_atoms else 0
    # A node's name has at most 255 bytes.
    if not high_byte:
        new_entries.append(low_byte)
    return low_byte + 1 + (high_byte << 8) + frame[low_byte]


Splice = tuple[int, int, bytes]
"""``(start, end, text)``: ``data[start:end]`` becomes ``text``."""


def name_splices(
    data: bytes | bytearray, positions: Iterable[int], table: Mapping[bytes, bytes]
) -> list[Splice]:
    """Return the splices of the atoms whose length bytes are at ``positions``; see ``table``."""
    splices = []
    for start in positions:
        end = start + 1 + data[start]
        text = table.get(bytes(data[start:end]))
        if text is not None:
            splices.append((start, end, text))
    return splices


def header_splices(
    data: bytes | bytearray, start: int, end: int, table: Mapping[bytes, bytes]
) -> tuple[int, list[Splice]]:
    """Return where the distribution header at ``start`` ends, and splices of its new entries."""
    terms, entries = read_atom_cache_refs(data, start, end)
    return terms, name_splices(data, entries, table) if entries else []


def term_splices(
    data: bytes | bytearray,
    end: int,
    result: ScanResult,
    table: Mapping[bytes, bytes],
    *,
    may_shrink: bool,
) -> list[Splice]:
    """Return the splices of one stretch of terms that ends at ``end``, in order.

    The Size of a fun that ends inside the stretch is made exact. The Size of one that goes on
    beyond it leaves before its end is known. OTP 23 checks that so many bytes are there, later
    ones do not look at it: where names may become shorter it becomes the number of its bytes in
    this stretch, a lower bound; where they only grow the sender's number already is one.
    """
    names = name_splices(data, result.names, table)
    if not result.funs:
        return names
    return sorted(names + _size_splices(names, end, result.funs, may_shrink=may_shrink))


def _size_splices(
    names: list[Splice], end: int, funs: list[tuple[int, int]], *, may_shrink: bool
) -> list[Splice]:
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


def apply_splices(data: bytes | bytearray, start: int, end: int, splices: list[Splice]) -> bytes:
    """Return ``data[start:end]`` with the splices made; they are in order and do not overlap."""
    parts: list[bytes | bytearray] = []
    for splice_start, splice_end, text in splices:
        parts += (data[start:splice_start], text)
        start = splice_end
    parts.append(data[start:end])
    return b"".join(parts)
