"""Streams of frames as a node sends them, and the node that receives them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from distribution.reference import Event, Fun, Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from erlconnect.distribution.rewriter import Rewriter

TICK = bytes(4)


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of a distribution header: a new one has text."""

    segment: int
    slot: int
    text: bytes | None = None


def frame(body: bytes) -> bytes:
    """The body with its length."""
    return struct.pack(">I", len(body)) + body


def references(entries: Sequence[Reference], *, long_atoms: bool = False) -> bytes:
    """The number of entries, their flags, and the entries."""
    if not entries:
        return b"\0"
    long_atoms = long_atoms or any(len(entry.text or b"") > 255 for entry in entries)
    nibbles = [entry.segment | 8 * (entry.text is not None) for entry in entries]
    nibbles += [int(long_atoms)] + [0] * (len(nibbles) + 1 & 1)
    flags = bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return bytes([len(entries)]) + flags + b"".join(_entry(e, long_atoms) for e in entries)


def _entry(entry: Reference, long_atoms: bool) -> bytes:
    if entry.text is None:
        return bytes([entry.slot])
    return struct.pack(">BH" if long_atoms else ">BB", entry.slot, len(entry.text)) + entry.text


def whole(header: bytes, terms: bytes) -> bytes:
    """A whole message."""
    return frame(b"\x83D" + header + terms)


def pass_through(*terms: bytes) -> bytes:
    """A whole message without a distribution header."""
    return frame(b"p" + b"".join(b"\x83" + term for term in terms))


def fragments(
    sequence: int, header: bytes, control: bytes, payload: bytes, cuts: Iterable[int]
) -> list[bytes]:
    """A message in fragments; ``cuts`` are offsets in the payload."""
    borders = [0, *sorted(cut % (len(payload) + 1) for cut in cuts), len(payload)]
    pieces = [payload[a:b] for a, b in pairwise(borders)]
    heads = [b"\x83E" + struct.pack(">QQ", sequence, len(pieces)) + header + control]
    heads += [b"\x83F" + struct.pack(">QQ", sequence, n) for n in range(len(pieces) - 1, 0, -1)]
    return [frame(head + piece) for head, piece in zip(heads, pieces, strict=True)]


def relayed(rewriter: Rewriter, stream: bytes, cuts: Iterable[int] = ()) -> bytes:
    """Feed a stream in pieces the way a relay does, and give all that came out."""
    buffer = bytearray(b"??")
    start = 2
    out = []
    borders = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for begin, end in pairwise(borders):
        buffer = bytearray(b"??" + buffer[start:] + stream[begin:end])
        start, segments = rewriter.process(buffer, 2, len(buffer))
        out += [bytes(segment) for segment in segments]
    return b"".join(out)


def bodies(stream: bytes) -> list[bytes]:
    """The frames of a stream; every length has to be right."""
    found = []
    position = 0
    while position < len(stream):
        (length,) = struct.unpack_from(">I", stream, position)
        assert position + 4 + length <= len(stream), "a length goes beyond the stream"
        found.append(stream[position + 4 : position + 4 + length])
        position += 4 + length
    return found


@dataclass(frozen=True, slots=True)
class Message:
    """What a node makes of one message, and where its frames were cut."""

    kind: str
    events: list[Event]
    funs: list[Fun]
    ends: list[int]
    """Where each fragment ends in the terms; one number for a whole message."""


@dataclass(slots=True)
class _UnderWay:
    left: int
    cached: list[object]
    terms: bytes
    ends: list[int]


@dataclass(slots=True)
class Receiver:
    """The receiving node, as strict as OTP: cache, order of fragments, whole control terms."""

    cache: dict[tuple[int, int], bytes] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    _under_way: dict[int, _UnderWay] = field(default_factory=dict)

    def receive(self, stream: bytes) -> list[Message]:
        """Take a whole stream; return all messages that were completed so far."""
        for body in bodies(stream):
            if not body:
                self.messages.append(Message("tick", [], [], []))
            elif body[:1] == b"p":
                self._pass_through(body)
            elif body[:2] == b"\x83D":
                cached, terms = self._header(body, 2)
                self._complete("whole", _UnderWay(0, cached, body[terms:], [len(body) - terms]))
            else:
                self._fragment(body)
        return self.messages

    @property
    def unfinished(self) -> int:
        return len(self._under_way)

    def _pass_through(self, body: bytes) -> None:
        reader = Reader(body, 1)
        while reader.position < len(body):
            assert body[reader.position] == 131
            reader.position += 1
            reader.term()
        self.messages.append(Message("pass", reader.events, reader.funs, [len(body)]))

    def _fragment(self, body: bytes) -> None:
        assert body[:2] in (b"\x83E", b"\x83F")
        sequence, number = struct.unpack_from(">QQ", body, 2)
        if body[1:2] == b"E":
            assert sequence not in self._under_way, "a second first fragment"
            cached, terms = self._header(body, 18)
            message = _UnderWay(number, cached, body[terms:], [len(body) - terms])
            Reader(message.terms, cached=cached).term()
            self._under_way[sequence] = message
        else:
            message = self._under_way[sequence]
            assert number == message.left - 1, "a fragment out of order"
            message.left = number
            message.terms += body[18:]
            message.ends.append(len(message.terms))
        if number == 1:
            self._complete("fragmented", self._under_way.pop(sequence))

    def _complete(self, kind: str, message: _UnderWay) -> None:
        reader = Reader(message.terms, cached=message.cached).rest()
        self.messages.append(Message(kind, reader.events, reader.funs, message.ends))

    def _header(self, body: bytes, at: int) -> tuple[list[object], int]:
        number = body[at]
        flags = at + 1
        position = flags + (number // 2 + 1 if number else 0)

        def nibble(index: int) -> int:
            return body[flags + index // 2] >> 4 * (index % 2) & 15

        long_atoms = number and nibble(number) & 1
        cached: list[object] = []
        for index in range(number):
            key = (nibble(index) & 7, body[position])
            position += 1
            if nibble(index) & 8:
                size = 2 if long_atoms else 1
                length = int.from_bytes(body[position : position + size], "big")
                position += size
                self.cache[key] = body[position : position + length]
                assert len(self.cache[key]) == length
                position += length
            cached.append(self.cache.get(key, key))
        return cached, position
