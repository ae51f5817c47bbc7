"""A TCP server on a loopback port that sends back what it receives, as a pod's port may."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_SECONDS = 30


class Echo:
    """Echoes until its context ends. The end of a direction comes back, too."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._connections: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_SECONDS)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(1 << 17):
                connection.sendall(data)


def digest_after_echo(connection: socket.socket, data: bytes) -> str:
    """Send ``data`` and receive as much; the MD5 of what came back."""
    connection.settimeout(_SECONDS)
    sender = threading.Thread(target=connection.sendall, args=(data,))
    sender.start()
    digest, left = hashlib.md5(usedforsecurity=False), len(data)
    while left:
        part = connection.recv(min(left, 1 << 17))
        assert part, f"the connection ended {left} bytes too early"
        digest.update(part)
        left -= len(part)
    sender.join(_SECONDS)
    return digest.hexdigest()


def digest_of(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
