"""The atom cache references at the start of a distribution header.

Only *new* entries carry text, so a relay that rewrites that text in place, and keeps the slot,
needs no cache of its own. Source: "Distribution Header" in the External Term Format chapter.
"""

from __future__ import annotations

from erlconnect.distribution.errors import RemoteProtocolError

# The bit that says so, in each of the 255 half bytes that there may be.
_NEW_ENTRIES = int.from_bytes(b"\x88" * 128)


def read_atom_references(frame: bytes | bytearray, start: int, end: int) -> tuple[int, list[int]]:
    """Read the references that begin at ``start`` (the byte with their number).

    Gives where the terms begin, and for each new entry where the low byte of its length is; the
    text follows that byte.
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
    if not high_byte:
        new_entries.append(low_byte)
    return low_byte + 1 + (high_byte << 8) + frame[low_byte]
