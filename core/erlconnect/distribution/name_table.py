"""Which node name becomes which, as a permutation.

Two names that became one would merge two keys of a map, and the receiver would drop the link. So
a link's table swaps: a name that takes another's place gives its own place away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.distribution.handshake_messages import encode_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST_PATTERN: Final = 256
"""Bytes of the longest ``atom_pattern``."""


def permutation(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Complete ``(local, remote)`` pairs to a permutation of all names in them.

    Chains are closed: ``a -> b, b -> c`` gets ``c -> a``. Pairs of equal names stay out of the
    result, they need no rewriting. ``ValueError`` where two pairs share a side.
    """
    unique = list(dict.fromkeys(pairs))
    forward = dict(unique)
    backward = {remote: local for local, remote in unique}
    if len(backward) < len(unique):
        raise ValueError("two local names stand for one remote name")
    if len(forward) < len(unique):
        raise ValueError("one local name stands for two remote names")
    for end in [remote for remote in backward if remote not in forward]:
        start = end
        while start in backward:
            start = backward[start]
        forward[end] = start
    return {old: new for old, new in forward.items() if old != new}


def inverse(table: Mapping[str, str]) -> dict[str, str]:
    """Give the table of the other direction."""
    return {new: old for old, new in table.items()}


def atom_pattern(name: str) -> bytes:
    """Give the bytes that every encoding of this atom contains: its length in one byte, its text.

    ATOM_UTF8_EXT, SMALL_ATOM_UTF8_EXT, their Latin-1 kin and new entries of the distribution
    header all hold them, long forms with one more zero byte before.
    """
    text = encode_name(name)
    return bytes([len(text)]) + text
