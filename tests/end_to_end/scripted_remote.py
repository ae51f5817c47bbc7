"""Things that listen where a node is expected: nodes that stop in mid-sentence, and no nodes.

The real ones never stop where a test wants it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Self

from world.connected import REMOTE_COOKIE
from world.ports import free_port

from erlconnect.distribution.handshake_messages import (
    Challenge,
    ChallengeAck,
    ChallengeReply,
    SendName,
    Status,
    StatusKind,
    gen_digest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    Behaviour = Callable[[socket.socket], None]

_FLAGS: Final = 0xD07DF7FBD  # what OTP 25 sends
_CHALLENGE: Final = 1234
_SECONDS: Final = 20
HTTP_ERROR: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
TLS_ALERT: Final = bytes.fromhex("15030300020246")


class ScriptedRemote:
    """Listens on ``port``; each connection plays what ``behaviour`` is when it comes.

    What the behaviour leaves open stays open until the end. ``connections`` counts them.
    """

    def __init__(self, behaviour: Behaviour, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.behaviour = behaviour
        self.connections = 0
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        for each in (self._listener, *self._sockets):
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                accepted.settimeout(_SECONDS)
                self._sockets.append(accepted)
                self.connections += 1
                threading.Thread(target=self._play, args=(accepted,)).start()

    def _play(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.behaviour(accepted)


def plays(*, steps: int, name: str = "app@127.0.0.1") -> Behaviour:
    """A node that is silent after ``steps`` of: status, challenge, challenge_ack."""

    def play(sock: socket.socket) -> None:
        SendName.parse(hear(sock))
        if steps > 0:
            say(sock, Status(kind=StatusKind.OK).encode())
        if steps > 1:
            challenge = Challenge(name=name, flags=_FLAGS, challenge=_CHALLENGE, creation=7)
            say(sock, challenge.encode())
        if steps > 2:
            reply = ChallengeReply.parse(hear(sock))
            say(sock, ChallengeAck(digest=gen_digest(reply.challenge, REMOTE_COOKIE)).encode())

    return play


def in_turn(behaviours: Sequence[Behaviour]) -> Behaviour:
    """Each connection plays the next of ``behaviours``."""
    left = iter(behaviours)

    def play(sock: socket.socket) -> None:
        next(left)(sock)

    return play


def sends(data: bytes) -> Behaviour:
    """A server that answers the first bytes with ``data`` and closes."""

    def play(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    return play


def closes(sock: socket.socket) -> None:
    """A server that hangs up on whoever comes."""
    sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def queue_filled(listener: socket.socket) -> Iterator[None]:
    """Let nobody else get a connection to ``listener``, whose backlog is 0; it accepts none."""
    with ExitStack() as stack:
        while True:
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0.2)
            try:
                filler.connect(listener.getsockname())
            except TimeoutError:
                break
        yield


def hear(sock: socket.socket) -> bytes:
    """The body of the next handshake frame; raises ``OSError`` at the end."""
    length = int.from_bytes(_exactly(sock, 2), "big")
    return _exactly(sock, length)


def say(sock: socket.socket, body: bytes) -> None:
    """Send one handshake frame."""
    sock.sendall(len(body).to_bytes(2, "big") + body)


def _exactly(sock: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        piece = sock.recv(size - len(received))
        if not piece:
            raise ConnectionError("the other side is gone")
        received += piece
    return received
