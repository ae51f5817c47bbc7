"""What lies between a socket and HTTP: TLS, or nothing. Bytes in, bytes out.

Knows neither sockets nor what the bytes mean. TLS runs on memory, so that whoever reads the socket
decides when, asyncio while a connection is made and one blocking thread afterwards.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

# More than a TLS record ever holds.
_RECORD_BYTES: Final = 32 * 1024
_PIECE_BYTES: Final = 256 * 1024


class Layer(Protocol):
    """One side of a connection, without its socket."""

    def early(self) -> bytes | None:
        """Give what came together with the last of the handshake, once; mostly ``None``.

        No bytes are the other side's end. Raises ``ssl.SSLError``.
        """

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        """Take bytes of the socket, none for its end, and give what is in them.

        Each piece holds until the next one is asked for; an empty one is the other side's end.
        Raises ``ssl.SSLError``.
        """

    def send(self, data: bytes) -> None:
        """Take bytes for the other side."""

    def outgoing(self) -> bytes:
        """Give bytes for the socket; none where there are no more for now."""


class Clear:
    """No layer at all, as to ``kubectl proxy`` on this machine."""

    def __init__(self) -> None:
        self._outgoing: list[bytes] = []

    def early(self) -> bytes | None:
        """Give ``None``: there is no handshake."""
        return None

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        """Give it back."""
        yield data

    def send(self, data: bytes) -> None:
        """Keep it."""
        self._outgoing.append(data)

    def outgoing(self) -> bytes:
        """Give what was kept."""
        kept, self._outgoing = self._outgoing, []
        return kept[0] if len(kept) == 1 else b"".join(kept)


class Tls:
    """The client's side of TLS."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        """``context`` decides what is verified."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_name or None
        )
        self._plain = memoryview(bytearray(_PIECE_BYTES + _RECORD_BYTES))

    def shake_hands(self, data: memoryview) -> bool:
        """Take bytes of the socket, none at first; say whether the handshake is over.

        What they hold beyond it waits for ``early`` or ``receive``. Raises ``ssl.SSLError``.
        """
        self._incoming.write(data)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def early(self) -> bytes | None:
        """Decrypt what has come already."""
        if not self._incoming.pending:
            return None
        pieces = [bytes(piece) for piece in self._decrypted()]
        return b"".join(pieces) if pieces else None

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        """Decrypt all that is complete, in as few pieces as there is room for."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        yield from self._decrypted()

    def _decrypted(self) -> Iterator[memoryview]:
        filled = 0
        try:
            while size := self._read(self._plain[filled:]):
                filled += size
                if filled > _PIECE_BYTES:
                    yield self._plain[:filled]
                    filled = 0
        except ssl.SSLWantReadError:
            if filled:
                yield self._plain[:filled]
            return
        except ssl.SSLZeroReturnError:
            pass
        if filled:
            yield self._plain[:filled]
        yield self._plain[:0]

    def _read(self, room: memoryview) -> int:
        return cast("int", self._object.read(len(room), room))

    def send(self, data: bytes) -> None:
        """Encrypt it."""
        self._object.write(data)

    def outgoing(self) -> bytes:
        """Give what was encrypted, and what the handshake has to say."""
        return self._outgoing.read()
