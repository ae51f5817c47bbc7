"""Any bytes as what a server says to a websocket: a WebSocketFailedError, or the same messages.

The same means: in every split of the bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz_input import InputReader, byte_by_byte, split
from websockets.utils import accept_key

from erlconnect_backends.kubernetes.connection import PlainLayer
from erlconnect_backends.kubernetes.websocket import WebSocket, WebSocketFailedError

if TYPE_CHECKING:
    from collections.abc import Iterable

SUBPROTOCOLS = ("v4.channel.k8s.io", "SPDY/3.1+portforward.k8s.io")
_KEY = b"Sec-WebSocket-Key: "


def asked(subprotocol: str) -> tuple[WebSocket, bytes]:
    """Return a websocket that has asked to be opened, and the answer that opens it."""
    websocket = WebSocket("ws://h/x", PlainLayer(), headers=[], subprotocols=[subprotocol])
    request = websocket.outgoing()
    key = request.split(_KEY, 1)[1].split(b"\r\n", 1)[0].decode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
        f"Sec-WebSocket-Protocol: {subprotocol}",
    ]
    return websocket, "\r\n".join([*lines, "", ""]).encode()


def frame(first: int, payload: bytes) -> bytes:
    """Return a frame as servers send it, without a mask; ``first`` is its first byte."""
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([first]) + length + payload


def stream_of(reader: InputReader) -> tuple[bool, bytes]:
    """Return whether the server agrees first, and what it says then: frames, or any bytes."""
    kind = reader.number(3)
    said = b""
    while kind == 2 and reader.more():
        said += frame(reader.number(256), reader.counted(300))
    return kind > 0, said or reader.rest()


def messages(pieces: Iterable[bytes], *, agrees: bool) -> tuple[list[bytes], bool, int]:
    """Return the messages in ``pieces``, whether they failed, and the status of a refusal."""
    websocket, agreement = asked(SUBPROTOCOLS[0])
    found: list[bytes] = []
    failed = False
    try:
        for data in [*([agreement] if agrees else []), *pieces, b""]:
            for piece in websocket.receive(memoryview(data)):
                found += [b"begins"] * piece.begins + [bytes(piece.payload)]
            websocket.outgoing()
            if websocket.over:
                break
    except WebSocketFailedError:
        failed = True
    assert isinstance(websocket.close_reason, str)
    return found, failed, websocket.refusal.status if websocket.refusal else 0


def one_input(data: bytes) -> None:
    """Check one input."""
    reader = InputReader(data)
    sizes = reader.counted(8)
    agrees, stream = stream_of(reader)
    whole = messages([stream] if stream else [], agrees=agrees)
    assert messages(split(stream, sizes), agrees=agrees) == whole
    assert messages(byte_by_byte(stream), agrees=agrees) == whole
