"""Random terms in the external format: every tag, with names where they count and where not.

Built with a plain ``Random``, because thousands of terms in a second find more than a few that
shrink well.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_ALPHABET = "abcdefgh0129-.@_"
_LENGTHS = [1, 2, 3, 5, 13, 46, 47, 48, 49, 50, 119, 127, 128, 254, 255]
IDENTIFIERS = {b"X": 12, b"g": 9, b"x": 12, b"Y": 8, b"f": 5, b"e": 5}
REFERENCES = {b"Z": 4, b"r": 1}


def pattern(name: str | bytes) -> bytes:
    """The length byte and the text."""
    text = name.encode() if isinstance(name, str) else name
    return bytes([len(text)]) + text


def atom(text: bytes, tag: int = 119) -> bytes:
    """One atom by its tag; texts beyond 255 bytes only have the tags with two bytes of length."""
    if len(text) > 255:
        tag = {119: 118, 115: 100}.get(tag, tag)
    return bytes([tag]) + len(text).to_bytes(1 if tag in (119, 115) else 2, "big") + text


def binary(data: bytes) -> bytes:
    return b"m" + struct.pack(">I", len(data)) + data


def fun(module: bytes, pid: bytes, *free: bytes) -> bytes:
    """One NEW_FUN_EXT with an exact Size."""
    head = b"\2" + bytes(range(16)) + b"\0\0\0\7" + struct.pack(">I", len(free))
    body = head + module + b"a\7" + b"b\1\2\3\4" + pid + b"".join(free)
    return b"p" + struct.pack(">I", len(body) + 4) + body


def pid(node: bytes) -> bytes:
    return b"X" + node + struct.pack(">III", 112, 0, 5)


def names(random: Random) -> list[str]:
    """Two to four different names, some of them a prefix or a suffix of another."""
    wanted = random.choice([2, 2, 3, 4])
    found: list[str] = []
    while len(found) < wanted:
        length = random.choice([*_LENGTHS, random.randint(1, 60), random.randint(1, 255)])
        name = "".join(random.choices(_ALPHABET, k=length))
        if found and random.random() < 0.6:
            name = _relative(random, random.choice(found))
        if 0 < len(name) < 256 and name not in found:
            found.append(name)
    return found


def _relative(random: Random, name: str) -> str:
    """A name of equal, lesser or greater length that has much in common with ``name``."""
    inside = chr(len(name) % 128) + name
    shorter = [name[:-1], name[1:], name[: len(name) // 2]]
    return random.choice([*shorter, name + "a", "b" + name, inside, name[::-1], name[:-1] + "~"])


class Author:
    """Writes terms that mention ``known`` names and the ``cached`` entries of a header."""

    def __init__(self, random: Random, known: list[str], cached: int = 0) -> None:
        self._random = random
        self._known = [name.encode() for name in known]
        self._cached = cached
        self._leaves: list[Callable[[], bytes]] = [
            self.atom,
            self.identifier,
            self.reference,
            self._number,
            self._bytes,
        ]

    def term(self, leaves: int = 12) -> bytes:
        """One term that has about so many leaves."""
        if leaves <= 1 or self._random.random() < 0.1:
            return self._random.choice(self._leaves)()
        return self._composite(leaves)

    def atom(self) -> bytes:
        """An inline atom, mostly a name or nearly one, or a reference to a cached one."""
        random = self._random
        if self._cached and random.random() < 0.3:
            return b"R" + bytes([random.randrange(self._cached)])
        name = random.choice(self._known)
        text = random.choices(
            [name, name[:-1], name + b"x" * 256, pattern(name)[:255], b"lists", b"a" * 300],
            [6, 1, 1, 1, 2, 1],
        )[0]
        return atom(text, random.choice([119, 119, 118, 115, 100]))

    def identifier(self) -> bytes:
        """A pid or a port in any of their forms, or the oldest kind of reference."""
        tag = self._random.choice(list(IDENTIFIERS))
        return tag + self.atom() + self._noise(IDENTIFIERS[tag])

    def reference(self) -> bytes:
        tag = self._random.choice(list(REFERENCES))
        words = self._random.randint(0, 7)
        return (
            tag + struct.pack(">H", words) + self.atom() + self._noise(REFERENCES[tag] + 4 * words)
        )

    def noise(self) -> bytes:
        """No terms, but what looks like atoms with a name: the inside of binaries."""
        random = self._random
        name = pattern(random.choice(self._known))
        fun_head = b"p" + bytes(24) + b"\0\0\0\1w\3lib"
        pieces = [b"w" + name, b"v\0" + name, name, name[:-1], fun_head, b"p", b"l\0\0\0\2w"]
        return b"".join(
            random.choice([*pieces, random.randbytes(random.randint(0, 9))])
            for _ in range(random.randint(0, 4))
        )

    def _noise(self, size: int) -> bytes:
        return (self.noise() + bytes(size))[:size]

    def _number(self) -> bytes:
        tag, size = self._random.choice([(97, 1), (98, 4), (99, 31), (70, 8), (106, 0)])
        return bytes([tag]) + self._noise(size)

    def _bytes(self) -> bytes:
        """A string, a binary, a bitstring, a small or a large big."""
        layouts = [
            (b"k", ">H", 0),
            (b"m", ">I", 0),
            (b"M", ">I", 1),
            (b"n", ">B", 1),
            (b"o", ">I", 1),
        ]
        tag, layout, extra = self._random.choice(layouts)
        data = self.noise()[: 255 if layout == ">B" else None]
        return tag + struct.pack(layout, len(data)) + b"\1" * extra + data

    def _composite(self, leaves: int) -> bytes:
        random = self._random
        several = [self.term(leaves // 3) for _ in range(random.randint(0, 5))]
        some = b"".join(several)
        pairs = b"".join(several[: len(several) // 2 * 2])
        count = struct.pack(">I", len(several))
        fields = b"".join(self.atom() for _ in several)
        ways: list[Callable[[], bytes]] = [
            lambda: b"h" + bytes([len(several)]) + some,
            lambda: b"i" + count + some,
            lambda: b"l" + count + some + self.term(leaves // 3),
            lambda: b"t" + struct.pack(">I", len(several) // 2) + pairs,
            lambda: b"q" + self.atom() + self.atom() + b"a\3",
            lambda: fun(self.atom(), pid(self.atom()), *several),
            lambda: fun(self.atom(), pid(self.atom()), *several),
            lambda: b"u" + count + pid(self.atom()) + self.atom() + b"a\1a\2" + some,
            lambda: b"C" + count + b"\1" + self.atom() + self.atom() + fields + some,
        ]
        return random.choice(ways)()
