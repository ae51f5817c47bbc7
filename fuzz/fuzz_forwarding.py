"""Any messages of a websocket as those of a forwarded port, over channels and over a tunnel.

Nothing raises; what is wrong becomes the codec's failure. In every split the port's data are the
same, as far as they were read: who cuts off less may read on behind an error.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from fuzz_input import InputReader, byte_by_byte, split
from fuzz_websocket import SUBPROTOCOLS, asked, frame

from erlconnect_backends.kubernetes.forward_streams import ChannelCodec, TunnelCodec
from erlconnect_backends.kubernetes.websocket import HandshakeResult

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from erlconnect_backends.kubernetes.forward_streams import ForwardCodec

PORT = 9100
CODECS: list[Callable[..., ForwardCodec]] = [partial(ChannelCodec, port=PORT), TunnelCodec]
NAMED = PORT.to_bytes(2, "little")
STARTS = [b"", b"\0", b"\1", b"\0" + NAMED, b"\1" + NAMED, b"\x80\3\0\2\0\0\0\4\0\0\0\3"]
STARTS += [b"\0\0\0\3\0\0\0\x05", b"\0\0\0\1\0\0\0\x05", b"\x80\3\0\6\0\0\0\4\0\0\0\1"]


def contents(kind: int, pieces: Iterable[bytes], early: bytes) -> tuple[bytes, bool]:
    """Return the port's data, and whether the codec is over; ``early`` came with the agreement."""
    websocket, agreement = asked(SUBPROTOCOLS[kind])
    first = tuple(websocket.receive(memoryview(agreement + early)))
    unused = cast("socket.socket", None)  # a codec takes the websocket alone
    codec = CODECS[kind](
        HandshakeResult(wire=unused, websocket=websocket, early=first), lambda: None
    )
    found = b"".join(codec.early())
    codec.encode(memoryview(b"\x23\x8cdata"))
    for piece in pieces:
        if codec.over:
            break
        found += b"".join(codec.decode(memoryview(piece)))
        codec.outgoing()
    assert isinstance(codec.error, str)
    return found, codec.over


def one_input(data: bytes) -> None:
    """Check one input."""
    reader = InputReader(data)
    kind = reader.number(2)
    sizes = reader.counted(8)
    early = frame(0x82, STARTS[reader.number(len(STARTS))]) if reader.number(2) else b""
    stream = b""
    while reader.more():
        first = (0x82, 0x02, 0x80, 0x00, 0x81, 0x8A, 0x88, 0x89)[reader.number(8)]
        stream += frame(first, STARTS[reader.number(len(STARTS))] + reader.counted(40))
    whole, whole_over = contents(kind, [stream] if stream else [], early)
    for pieces in (split(stream, sizes), byte_by_byte(stream)):
        found, over = contents(kind, pieces, early)
        assert whole.startswith(found)
        assert over == whole_over
        assert over or found == whole
