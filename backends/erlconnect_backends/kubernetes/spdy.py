"""One forwarded port over SPDY/3.1, as kubectl asks for it: a stream for errors, one for data.

``forward_streams.TunnelCodec`` sends and receives these bytes in a websocket. Unlike with channels,
the port is named when the streams are opened, so that the websocket can be open long before. There
is no maintained library for SPDY.

https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/; the dictionary that headers are
compressed with is 2.6.10.1 of it.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Each with its length before it, four bytes, big-endian.
_DICTIONARY_WORDS: Final = (
    *("options", "head", "post", "put", "delete", "trace"),
    *("accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges"),
    *("age", "allow", "authorization", "cache-control", "connection"),
    *("content-base", "content-encoding", "content-language", "content-length"),
    *("content-location", "content-md5", "content-range", "content-type"),
    *("date", "etag", "expect", "expires", "from", "host"),
    *("if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since"),
    *("last-modified", "location", "max-forwards", "pragma"),
    *("proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after"),
    *("server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"),
    *("vary", "via", "warning", "www-authenticate"),
    *("method", "get", "status", "200 OK", "version", "HTTP/1.1"),
    *("url", "public", "set-cookie", "keep-alive", "origin"),
)
_DICTIONARY_TEXT: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
    "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,"
    "text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch"
    "charset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY: Final = (
    b"".join(len(word).to_bytes(4, "big") + word.encode() for word in _DICTIONARY_WORDS)
    + _DICTIONARY_TEXT.encode()
)
TUNNEL_SUBPROTOCOL: Final = "SPDY/3.1+portforward.k8s.io"
DATA_HEAD_SIZE: Final = 8
# A control frame has version and type in the first word, a data frame its stream (2.2).
# Both have flags in one byte and the length in three after that.
_HEAD: Final = struct.Struct("!IB3s")
# The first bit says that a frame is for control; then comes the version, 3.
_CONTROL: Final = 0x8003 << 16
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_FIN: Final = 1
# The top bit of a word with a stream's number is reserved.
_STREAM_BITS: Final = 0x7FFFFFFF
# A client's numbers are odd.
_ERROR, _DATA = 1, 3
_OUR_PING: Final = 1
# A server could send an error without end; the rest would be no use in a message.
_MAX_ERROR_BYTES: Final = 4000
# As much of a control frame matters here: the number of a stream or a ping.
_KEPT_BODY_BYTES: Final = 8


class SpdyStreams:
    """The two streams of one port: bytes of frames in, the port's data out.

    ``opened`` is true when the other side has accepted the data stream, ``answered`` when it has
    answered the ping that was sent after that, and ``ended`` when it sends no more.
    """

    def __init__(self) -> None:
        self.opened = self.answered = self.ended = False
        self._error = bytearray()
        self._head = bytearray()
        self._first = self._flags = self._left = 0
        self._body = bytearray()
        self._replies = bytearray()

    @property
    def error(self) -> str:
        """The kubelet's error text on one line; empty where it sent none."""
        return " ".join(self._error.decode(errors="replace").split())

    def opening(self, port: int) -> bytes:
        """Return the frames that open both streams for ``port``, and a ping behind them."""
        # One compressor for both blocks: all headers of a session share its state (2.6.10.1).
        deflate = zlib.compressobj(zdict=DICTIONARY)
        frames = b""
        for stream, kind in ((_ERROR, "error"), (_DATA, "data")):
            headers = {"streamtype": kind, "port": str(port), "requestid": "0"}
            # Z_SYNC_FLUSH ends the block at a byte, and keeps the state for the next.
            block = deflate.compress(_header_block(headers)) + deflate.flush(zlib.Z_SYNC_FLUSH)
            # Stream, the stream it belongs to, and its priority.
            frames += _control(_SYN_STREAM, struct.pack("!IIH", stream, 0, 0) + block)
        # Nothing is ever sent on the stream for errors.
        nothing_more = _HEAD.pack(_ERROR, _FIN, bytes(3))
        return frames + nothing_more + _control(_PING, _OUR_PING.to_bytes(4, "big"))

    def data_head(self, size: int) -> bytes:
        """Return what stands before ``size`` bytes of data, fewer than 16 MB."""
        return _HEAD.pack(_DATA, 0, size.to_bytes(3, "big"))

    def replies(self) -> bytes:
        """Return the frames to send in reply (PING)."""
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def receive(self, payload: memoryview) -> Iterator[memoryview]:
        """Take bytes, cut anywhere, and yield the port's data in them."""
        while payload:
            if len(self._head) < _HEAD.size:
                missing = _HEAD.size - len(self._head)
                self._head += payload[:missing]
                payload = payload[missing:]
                if len(self._head) < _HEAD.size:
                    return
                self._first, self._flags, length = _HEAD.unpack(self._head)
                self._left = int.from_bytes(length, "big")
            piece, payload = payload[: self._left], payload[self._left :]
            self._left -= len(piece)
            # Data is passed on at once: a frame may have 16 MB, and only its head is kept.
            if self._first == _DATA and piece:
                yield piece
            else:
                self._keep(piece)
            if not self._left:
                self._end_frame()

    def _keep(self, piece: memoryview) -> None:
        if self._first == _ERROR:
            self._error += piece[: _MAX_ERROR_BYTES - len(self._error)]
        else:
            self._body += piece[: _KEPT_BODY_BYTES - len(self._body)]

    def _end_frame(self) -> None:
        """Handle a complete frame."""
        kind, number = self._first & 0xFFFF, int.from_bytes(self._body[:4], "big")
        if self._first == _DATA:
            self.ended = self.ended or bool(self._flags & _FIN)
        elif self._first & 1 << 31:
            self._handle_control(kind, number & _STREAM_BITS)
        self._head.clear()
        self._body.clear()

    def _handle_control(self, kind: int, number: int) -> None:
        if kind == _SYN_REPLY and number == _DATA:
            self.opened = True
        elif kind == _PING and number == _OUR_PING:
            self.answered = True
        # Another's ping goes back as it came, with the same number (2.6.5).
        elif kind == _PING:
            self._replies += _control(_PING, number.to_bytes(4, "big"))
        elif kind == _GOAWAY or (kind == _RST_STREAM and number == _DATA):
            self.ended = True


def _header_block(headers: Mapping[str, str]) -> bytes:
    texts = [text.encode() for pair in headers.items() for text in pair]
    lengths = (len(text).to_bytes(4, "big") + text for text in texts)
    return len(headers).to_bytes(4, "big") + b"".join(lengths)


def _control(kind: int, body: bytes) -> bytes:
    return _HEAD.pack(_CONTROL | kind, 0, len(body).to_bytes(3, "big")) + body
