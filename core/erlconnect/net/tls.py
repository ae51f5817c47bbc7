"""TLS over a socket that stays plain: the handshake on either side, then a pump for the stream.

The relay needs plain sockets, so that TLS runs over memory buffers (``ssl.MemoryBIO``).
``tls_handshake`` is done first; who is trusted is said by the context (``tls_context.py``), and the
caller looks at the certificate before it goes on. ``TlsPump`` then carries the bytes.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from erlconnect.net.stream_pump import StreamPump

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

_PIECE_BYTES: Final = 64 * 1024
# What was received may complete one record of which a part had come before.
_PLAIN_BYTES: Final = StreamPump.piece_bytes + 2 * 16 * 1024


@dataclass(slots=True, kw_only=True)
class Tls:
    """A TLS session without a socket. ``early`` is what was decrypted before the pump began."""

    object: ssl.SSLObject
    incoming: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    outgoing: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    early: bytes = b""

    async def send(self, wire: socket.socket) -> None:
        """Send all encrypted bytes that are waiting on ``wire``; raises ``OSError``."""
        if self.outgoing.pending:
            await asyncio.get_running_loop().sock_sendall(wire, self.outgoing.read())

    async def receive(self, wire: socket.socket) -> None:
        """Receive once; raises ``ConnectionResetError`` at its end, else ``OSError``."""
        data = await asyncio.get_running_loop().sock_recv(wire, _PIECE_BYTES)
        if not data:
            raise ConnectionResetError("closed during or right after the TLS handshake")
        self.incoming.write(data)

    def read_early(self) -> None:
        """Decrypt what came behind the handshake. Raises ``ssl.SSLError`` and ``OSError``."""
        try:
            self.early = self.object.read(_PIECE_BYTES)
        except ssl.SSLWantReadError:
            return
        if not self.early:
            raise ConnectionResetError("closed during or right after the TLS handshake")


async def tls_handshake(
    wire: socket.socket,
    context: ssl.SSLContext,
    *,
    server_name: str | None = None,
    server_side: bool = False,
) -> Tls:
    """Do the handshake over a connected socket, which stays the caller's.

    The last message of it waits in the result, for ``Tls.send`` or a pump: until then the other
    side has no answer to its certificate. Raises ``ssl.SSLError``, after the alert was sent, and
    ``OSError``. Cancelled, the socket is of no further use.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    # Memory buffers in place of a socket: the pump encrypts later with the same session.
    wrapped = context.wrap_bio(
        incoming, outgoing, server_side=server_side, server_hostname=server_name
    )
    tls = Tls(object=wrapped, incoming=incoming, outgoing=outgoing)
    try:
        while not _handshake_is_done(tls):
            await tls.send(wire)
            await tls.receive(wire)
    except ssl.SSLError:
        # The alert, from which the other side learns why.
        await tls.send(wire)
        raise
    return tls


def _handshake_is_done(tls: Tls) -> bool:
    try:
        tls.object.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def strict(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return ``context`` with what it has to refuse: TLS before 1.2, and a cut for an end."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Before 3.11.4 Python takes a connection that is cut off for one that was closed in order:
    # https://github.com/python/cpython/issues/95494
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context


class TlsPump(StreamPump):
    """Pumps over a TLS session, whose own end closes a half of the stream."""

    def __init__(self, wire: socket.socket, tls: Tls, *, name: str) -> None:
        super().__init__(wire, _TlsCodec(tls), name=name)


class _TlsCodec:
    """Encrypts and decrypts, as a ``StreamCodec``."""

    half_closes = True

    def __init__(self, tls: Tls) -> None:
        self.over = False
        self.failure: Exception | None = None
        self._tls = tls
        self._decrypted = memoryview(bytearray(_PLAIN_BYTES))

    def early(self) -> Sequence[memoryview]:
        """Return what came with the handshake."""
        self._decrypted[: len(self._tls.early)] = self._tls.early
        return self._decrypt(len(self._tls.early))

    def decode(self, data: memoryview) -> Sequence[memoryview]:
        """Decrypt all records that are complete; see ``StreamCodec.decode``."""
        if data:
            self._tls.incoming.write(data)
        else:
            self._tls.incoming.write_eof()
        return self._decrypt()

    def encode(self, data: memoryview) -> None:
        """Encrypt ``data``; ``outgoing`` returns the result."""
        self._tls.object.write(data)

    def say_farewell(self) -> None:
        """Send close_notify."""
        # unwrap() raises SSLWantReadError until the other side's close_notify arrives, which
        # ``decode`` takes. RFC 8446, section 6.1: each side closes its own direction.
        with suppress(ssl.SSLError):
            self._tls.object.unwrap()

    def outgoing(self) -> bytes:
        """Return the encrypted bytes for the wire; none where there are no more for now."""
        return self._tls.outgoing.read()

    def seconds_left(self, *, listening: bool) -> float | None:
        """Return ``None``, no limit: TLS has no keepalive of its own."""
        del listening
        return None

    def _decrypt(self, filled: int = 0) -> Sequence[memoryview]:
        """Decrypt all that came; the TLS object is left with less than a record."""
        try:
            while size := self._read_record(self._decrypted[filled:]):
                filled += size
                if not (self._tls.incoming.pending or self._tls.incoming.eof):
                    break
            else:
                self.over = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            # Both sides have sent close_notify; after the other side's alone, read() returns b"".
            self.over = True
        except ssl.SSLError as error:
            self.over, self.failure = True, error
        return [self._decrypted[:filled]] if filled else []

    def _read_record(self, room: memoryview) -> int:
        return cast("int", self._tls.object.read(len(room), room))
