"""Frames of SPDY/3.1, byte by byte, as its specification has them."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest
from world.kubernetes.spdy_frames import Data, FrameReader, FrameWriter, Opened, Ping, Reset

from erlconnect_backends.kubernetes.spdy import DICTIONARY

if TYPE_CHECKING:
    from world.kubernetes.spdy_frames import Frame

PING = b"\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01"
RESET = b"\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00\x05\x00\x00\x00\x05"
GO_AWAY = b"\x80\x03\x00\x07\x00\x00\x00\x08" + bytes(8)
SETTINGS = b"\x80\x03\x00\x04\x00\x00\x00\x04" + bytes(4)
LAST_DATA = b"\x00\x00\x00\x03\x01\x00\x00\x05hello"
STREAM = [
    Opened(stream=1, headers={"streamtype": "error", "port": "4369"}, ended=True),
    Opened(stream=3, headers={"streamtype": "data"}, ended=False),
    Data(stream=3, data=b"hello", ended=True),
    Ping(number=1),
    Reset(stream=5),
]


def opening(deflate: zlib._Compress, number: int, headers: dict[str, str], flags: int) -> bytes:
    """SYN_STREAM as a client sends it."""
    texts = [text.encode() for pair in headers.items() for text in pair]
    plain = len(headers).to_bytes(4, "big")
    plain += b"".join(len(text).to_bytes(4, "big") + text for text in texts)
    block = deflate.compress(plain) + deflate.flush(zlib.Z_SYNC_FLUSH)
    body = number.to_bytes(4, "big") + bytes(6) + block
    return b"\x80\x03\x00\x01" + bytes((flags,)) + len(body).to_bytes(3, "big") + body


@pytest.fixture
def sent() -> bytes:
    deflate = zlib.compressobj(zdict=DICTIONARY)
    first = opening(deflate, 1, {"streamtype": "error", "port": "4369"}, 1)
    second = opening(deflate, 3, {"streamtype": "data"}, 0)
    return first + SETTINGS + second + GO_AWAY + LAST_DATA + PING + RESET


def test_the_dictionary_is_the_specifications() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_frames_cut_anywhere(sent: bytes, size: int) -> None:
    reader = FrameReader()
    found: list[Frame] = []
    for start in range(0, len(sent), size):
        found += reader.feed(sent[start : start + size])
    assert found == STREAM


def test_frames_of_the_servers_side() -> None:
    writer = FrameWriter()
    assert writer.ping(1) == PING
    assert writer.data(3, b"hello") + writer.end(3) == (
        b"\x00\x00\x00\x03\x00\x00\x00\x05hello\x00\x00\x00\x03\x01\x00\x00\x00"
    )
    inflate = zlib.decompressobj(zdict=DICTIONARY)
    for number in (1, 3):  # one compression for all
        reply = writer.reply(number)
        assert reply[:4] == b"\x80\x03\x00\x02"
        assert int.from_bytes(reply[5:8], "big") == len(reply) - 8
        assert reply[8:12] == number.to_bytes(4, "big")
        assert inflate.decompress(reply[12:]) == bytes(4)
