"""Frames in every form that a term can have on a link: how atoms, tuples and lists are written."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from erlconnect.distribution.etf import Atom, ImproperList, Pid, Reference

if TYPE_CHECKING:
    from collections.abc import Callable

LOCAL = Pid(node="dev@127.0.0.1", id=90, serial=0, creation=7)
REMOTE = Pid(node="app@127.0.0.1", id=120, serial=0, creation=8)
REFERENCE = Reference(node="dev@127.0.0.1", creation=7, words=(1, 2, 3))


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


@dataclass(kw_only=True)
class Writer:
    """Writes messages; ``atom`` says how, ``None`` stands for the cache of the header."""

    atom: Callable[[bytes], bytes] | None = None
    large_tuples: bool = False
    improper_lists: bool = False
    header: bool = True
    slots: dict[str, int] = field(default_factory=dict)
    """What the other side's cache has."""

    def __post_init__(self) -> None:
        self._entries: list[str] = []

    def message(self, control: tuple[Any, ...], payload: Any = None) -> bytes:
        """A whole frame."""
        return framed(self.body(control, payload))

    def fragments(self, control: tuple[Any, ...], payload: Any, size: int) -> list[bytes]:
        """The same in fragments; the first has the control message and ``size`` bytes more."""
        self._entries = []
        first = self._term(control)
        rest = self._term(payload)
        pieces = [rest[at : at + size] for at in range(0, len(rest), size)]
        count = len(pieces)
        head = struct.pack(">QQ", 5, count)
        frames = [framed(b"\x83E" + head + self._header() + first + pieces[0])]
        for left, piece in zip(range(count - 1, 0, -1), pieces[1:], strict=True):
            frames.append(framed(b"\x83F" + struct.pack(">QQ", 5, left) + piece))
        return frames

    def body(self, control: tuple[Any, ...], payload: Any) -> bytes:
        self._entries = []
        if not self.header:
            carried = b"" if payload is None else b"\x83" + self._term(payload)
            return b"p\x83" + self._term(control) + carried
        terms = self._term(control) + (b"" if payload is None else self._term(payload))
        return b"\x83D" + self._header() + terms

    def _header(self) -> bytes:
        if not self._entries:
            return b"\x00"
        flags, body = 0, b""
        for index, text in enumerate(self._entries):
            new = text not in self.slots
            slot = self.slots.setdefault(text, (len(self.slots) * 37) % 2048)
            flags |= (slot >> 8 | (8 if new else 0)) << 4 * index
            body += bytes([slot & 255])
            if new:
                body += bytes([len(text.encode())]) + text.encode()
        size = len(self._entries) // 2 + 1
        return bytes([len(self._entries)]) + flags.to_bytes(size, "little") + body

    def _atom(self, text: str) -> bytes:
        if self.atom is not None:
            return self.atom(text.encode())
        if text not in self._entries:
            self._entries.append(text)
        return b"R" + bytes([self._entries.index(text)])

    def _term(self, term: Any) -> bytes:
        match term:
            case Atom():
                written = self._atom(term)
            case tuple():
                size = b"i" + struct.pack(">I", len(term)) if self.large_tuples else None
                written = (size or b"h" + bytes([len(term)])) + b"".join(map(self._term, term))
            case list():
                written = self._list(term, [])
            case ImproperList(elements, tail):
                written = self._list(list(elements), tail)
            case Pid():
                numbers = struct.pack(">III", term.id, term.serial, term.creation)
                written = b"X" + self._atom(term.node) + numbers
            case Reference():
                words = struct.pack(f">{1 + len(term.words)}I", term.creation, *term.words)
                count = struct.pack(">H", len(term.words))
                written = b"Z" + count + self._atom(term.node) + words
            case int():
                written = b"b" + struct.pack(">i", term)
            case _:
                written = b"m" + struct.pack(">I", len(term)) + term
        return written

    def _list(self, elements: list[Any], tail: Any) -> bytes:
        if not elements:
            return b"j"
        if self.improper_lists and len(elements) > 1:
            rest = self._list(elements[1:], tail)
            return b"l" + struct.pack(">I", 1) + self._term(elements[0]) + rest
        end = b"j" if tail == [] else self._term(tail)
        return b"l" + struct.pack(">I", len(elements)) + b"".join(map(self._term, elements)) + end


def small(text: bytes) -> bytes:
    return b"w" + bytes([len(text)]) + text


def long(text: bytes) -> bytes:
    return b"v" + struct.pack(">H", len(text)) + text


def latin(text: bytes) -> bytes:
    return b"s" + bytes([len(text)]) + text


def long_latin(text: bytes) -> bytes:
    return b"d" + struct.pack(">H", len(text)) + text


WRITERS: dict[str, Callable[[], Writer]] = {
    "cached atoms": Writer,
    "inline atoms": lambda: Writer(atom=small),
    "long atoms": lambda: Writer(atom=long),
    "latin-1 atoms": lambda: Writer(atom=latin),
    "long latin-1 atoms": lambda: Writer(atom=long_latin),
    "large tuples": lambda: Writer(large_tuples=True),
    "lists in lists' tails": lambda: Writer(improper_lists=True),
    "no headers": lambda: Writer(atom=small, header=False),
    "no headers, large tuples": lambda: Writer(atom=long, header=False, large_tuples=True),
}
