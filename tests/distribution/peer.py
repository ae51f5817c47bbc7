"""A node of the tests' own: it shakes hands with a real one, records and sends frames."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Self

from erlconnect.distribution.handshake import Initiator
from erlconnect.distribution.handshake_messages import (
    ChallengeReply,
    SendName,
    digests_equal,
    gen_challenge,
    gen_digest,
)

if TYPE_CHECKING:
    from types import TracebackType

ATOM_CACHE, FRAGMENTS = 0x2000, 0x800000
# What OTP 25 claims, without PUBLISHED.
FLAGS = 0xD07DF7FBC
# Native records and alternative action signals, as OTP 29 claims besides.
FLAGS_OF_29 = 0x6D07DF7FBC


class Peer:
    """Connected when the constructor returns; ``challenge`` is what the real node said."""

    def __init__(self, port: int, name: str, cookie: str, flags: int = FLAGS) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        side = Initiator()
        self._send(side.send_name(SendName(name=name, flags=flags, creation=7)))
        self.status = side.recv_status(self._recv())
        self.challenge = side.recv_challenge(self._recv())
        number = gen_challenge()
        digest = gen_digest(self.challenge.challenge, cookie)
        self._send(side.send_challenge_reply(ChallengeReply(challenge=number, digest=digest)))
        ack = side.recv_challenge_ack(self._recv())
        assert digests_equal(ack.digest, gen_digest(number, cookie))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def send(self, frames: bytes) -> None:
        self._socket.sendall(frames)

    def frames_until(self, last: bytes) -> list[bytes]:
        """The frames that come, lengths included, up to one that ends with ``last``."""
        frames: list[bytes] = []
        while not frames or not frames[-1].endswith(last):
            head = self._exactly(4)
            frames.append(head + self._exactly(struct.unpack(">I", head)[0]))
        return frames

    def _send(self, body: bytes) -> None:
        self._socket.sendall(struct.pack(">H", len(body)) + body)

    def _recv(self) -> bytes:
        return self._exactly(struct.unpack(">H", self._exactly(2))[0])

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            assert more, "the real node closed the connection"
            data += more
        return bytes(data)
