"""Frames of SPDY/3.1 as bytes: the part of the protocol that Kubernetes' clients use.

Bytes in, frames out; streams and what they are for are others' business.
https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect_backends.kubernetes.spdy import DICTIONARY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEAD: Final = struct.Struct("!IB3s")
_CONTROL: Final = 0x8003 << 16
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING = 1, 2, 3, 6
_FIN: Final = 1
_STREAM_BITS: Final = 0x7FFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """SYN_STREAM: the client opens a stream; ``ended`` if it will send nothing on it."""

    stream: int
    headers: Mapping[str, str]
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Data on a stream; ``ended`` if it is the last of its direction."""

    stream: int
    data: bytes
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """RST_STREAM: a stream is over in both directions."""

    stream: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """PING; one with an odd number is the client's, and is answered with itself."""

    number: int


Frame = Opened | Data | Reset | Ping


class FrameReader:
    """Cuts what a client sends into frames; kinds that nobody needs here are left out."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with ``data``. Raises zlib.error for other bytes."""
        self._waiting += data
        while len(self._waiting) >= _HEAD.size:
            first, flags, length = _HEAD.unpack_from(self._waiting)
            end = _HEAD.size + int.from_bytes(length, "big")
            if len(self._waiting) < end:
                return
            body = bytes(self._waiting[_HEAD.size : end])
            del self._waiting[:end]
            if first & 1 << 31:
                yield from self._control(first & 0xFFFF, bool(flags & _FIN), body)
            else:
                yield Data(stream=first, data=body, ended=bool(flags & _FIN))

    def _control(self, kind: int, ended: bool, body: bytes) -> Iterator[Frame]:
        number = int.from_bytes(body[:4], "big")
        if kind == _SYN_STREAM:
            headers = self._headers(body[10:])
            yield Opened(stream=number & _STREAM_BITS, headers=headers, ended=ended)
        elif kind == _RST_STREAM:
            yield Reset(stream=number & _STREAM_BITS)
        elif kind == _PING:
            yield Ping(number=number)

    def _headers(self, block: bytes) -> dict[str, str]:
        plain = self._inflate.decompress(block)
        texts, position = [], 4
        for _ in range(2 * int.from_bytes(plain[:4], "big")):
            length = int.from_bytes(plain[position : position + 4], "big")
            texts.append(plain[position + 4 : position + 4 + length].decode())
            position += 4 + length
        return dict(zip(texts[::2], texts[1::2], strict=True))


class FrameWriter:
    """Makes the frames of the server's side."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def reply(self, stream: int) -> bytes:
        """SYN_REPLY: the stream is accepted; it has no headers."""
        plain = (0).to_bytes(4, "big")
        block = self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control_frame(_SYN_REPLY, stream.to_bytes(4, "big") + block)

    def data(self, stream: int, data: bytes) -> bytes:
        return _HEAD.pack(stream, 0, len(data).to_bytes(3, "big")) + data

    def end(self, stream: int) -> bytes:
        """An empty DATA frame that is the last of its direction."""
        return _HEAD.pack(stream, _FIN, bytes(3))

    def ping(self, number: int) -> bytes:
        return _control_frame(_PING, number.to_bytes(4, "big"))


def _control_frame(kind: int, body: bytes) -> bytes:
    return _HEAD.pack(_CONTROL | kind, 0, len(body).to_bytes(3, "big")) + body
