"""Frames of the handshake on a socket: what comes instead of one is told by its first bytes."""

from __future__ import annotations

import socket

import pytest

from erlconnect.proxy.frame_stream import (
    LENGTH_SIZE,
    TLS_LENGTH_SIZE,
    FrameStream,
    PeerError,
    TlsSpokenError,
)

SIZES = pytest.mark.parametrize("length_size", [LENGTH_SIZE, TLS_LENGTH_SIZE])


async def received(content: bytes, length_size: int) -> bytes:
    """Return the body that the other end of a connection receives."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(content)
        stream = FrameStream(ours, "remote", length_size=length_size)
        return await stream.recv("status", lambda body: body)


@SIZES
async def test_the_length_has_as_many_bytes_as_the_connection_needs(length_size: int) -> None:
    assert (
        await received((3).to_bytes(length_size, "big") + b"sok" + b"more", length_size) == b"sok"
    )


@SIZES
async def test_an_http_answer_is_called_so(length_size: int) -> None:
    with pytest.raises(PeerError, match="an HTTP answer came instead"):
        await received(b"HTTP/1.1 400 Bad Request\r\n", length_size)


@SIZES
@pytest.mark.parametrize("record", [b"\x15\x03\x01\x00\x02", b"\x16\x03\x03\x00\x7a"])
async def test_a_record_of_tls_is_called_so(record: bytes, length_size: int) -> None:
    with pytest.raises(TlsSpokenError, match="TLS came instead"):
        await received(record, length_size)


@SIZES
async def test_a_length_beyond_all_messages_is_refused(length_size: int) -> None:
    with pytest.raises(PeerError, match="a frame of 5000 bytes"):
        await received((5000).to_bytes(length_size, "big"), length_size)
