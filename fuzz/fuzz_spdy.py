"""Any bytes as the SPDY of one port: the same state, data and replies in every split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz_input import InputReader, byte_by_byte, split

from erlconnect_backends.kubernetes.spdy import SpdyStreams

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = [b"\x80\x03\0" + bytes([kind]) for kind in range(1, 10)]
KINDS += [b"\0\0\0\1", b"\0\0\0\3", b"\0\0\0\5", b"\x80\x02\0\1"]
NUMBERS = [b"\0\0\0\1", b"\0\0\0\3", b"\x80\0\0\3", b"\0\0\0\2"]


def frame(reader: InputReader) -> bytes:
    """Return a frame with its right length, of a kind that comes from a kubelet."""
    kind = KINDS[reader.number(len(KINDS))]
    flags = reader.some(1) or b"\0"
    number = NUMBERS[reader.number(len(NUMBERS))] if kind[0] == 0x80 else b""
    body = number + reader.counted(40)
    return kind + flags + len(body).to_bytes(3, "big") + body


def state(pieces: Iterable[bytes]) -> tuple[bytes, bytes, str, bool, bool, bool]:
    """Return all that is known after ``pieces``."""
    streams = SpdyStreams()
    data = replies = b""
    for piece in pieces:
        data += b"".join(streams.receive(memoryview(piece)))
        replies += streams.replies()
    return data, replies, streams.error, streams.opened, streams.answered, streams.ended


def one_input(data: bytes) -> None:
    """Check one input."""
    reader = InputReader(data)
    sizes = reader.counted(8)
    frames = [frame(reader) for _ in range(reader.number(8))]
    stream = b"".join(frames) + reader.rest()
    whole = state([stream])
    assert state(split(stream, sizes)) == whole
    assert state(byte_by_byte(stream)) == whole
    assert len(whole[1]) <= 2 * len(stream)
