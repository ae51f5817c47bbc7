"""The bytes of one TLS stream, pumped behind a socketpair.

Refuses to know who is at the other end and how the handshake went.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from erlconnect.streams.pump import StreamPump

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from erlconnect.tls.handshake import Tls

# What was received may complete one record of which a part had come before.
_PLAIN_BYTES: Final = StreamPump.piece_bytes + 2 * 16 * 1024


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
        """Give what came with the handshake."""
        self._decrypted[: len(self._tls.early)] = self._tls.early
        return self._decrypt(len(self._tls.early))

    def decode(self, data: memoryview) -> Sequence[memoryview]:
        """Decrypt all that is complete."""
        if data:
            self._tls.incoming.write(data)
        else:
            self._tls.incoming.write_eof()
        return self._decrypt()

    def encode(self, data: memoryview) -> None:
        """Encrypt it."""
        self._tls.object.write(data)

    def say_farewell(self) -> None:
        """Say it in TLS, too."""
        # It waits for the other side's farewell, which comes by the usual way.
        with suppress(ssl.SSLError):
            self._tls.object.unwrap()

    def outgoing(self) -> bytes:
        """Give what was encrypted."""
        return self._tls.outgoing.read()

    def seconds_left(self, *, listening: bool) -> float | None:
        """Wait for ever: TLS asks for no sign of life."""
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
            # So the end is called when it is the second of both.
            self.over = True
        except ssl.SSLError as error:
            self.over, self.failure = True, error
        return [self._decrypted[:filled]] if filled else []

    def _read_record(self, room: memoryview) -> int:
        return cast("int", self._tls.object.read(len(room), room))
