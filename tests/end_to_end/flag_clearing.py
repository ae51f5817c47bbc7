"""A relay that takes flags away from a handshake, so that real nodes talk as older ones did.

The digests of the handshake cover cookies and challenges alone, so that no node notices.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Final, Self

from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

ATOM_CACHE: Final = 0x2000
FRAGMENTS: Final = 0x800000
_CHUNK: Final = 256 * 1024
_FLAGS: Final = slice(1, 9)  # of send_name and of the challenge, behind their tag


class FlagClearing:
    """Relays ``port`` of 127.0.0.1 to another; a context manager that ends everything."""

    def __init__(self, flags: int, target_port: int) -> None:
        self.port = free_port()
        self._flags = flags
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._sockets = [self._listener]
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for end in self._sockets:
            end.close()

    def _run(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._relay(self._listener.accept()[0])

    def _relay(self, client: socket.socket) -> None:
        target = socket.create_connection(("127.0.0.1", self._target_port))
        self._sockets += [client, target]
        # From the client send_name comes first; from the target a status and then the challenge.
        self._run(lambda: self._pump(client, target, messages=1))
        self._run(lambda: self._pump(target, client, messages=2))

    def _pump(self, source: socket.socket, sink: socket.socket, *, messages: int) -> None:
        with contextlib.suppress(OSError), source.makefile("rb", buffering=0) as stream:
            for _ in range(messages):
                sink.sendall(self._cleared(_frame(stream)))
            while data := stream.read(_CHUNK):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def _cleared(self, body: bytearray) -> bytes:
        if body[:1] == b"N":
            flags = int.from_bytes(body[_FLAGS], "big") & ~self._flags
            body[_FLAGS] = flags.to_bytes(8, "big")
        return len(body).to_bytes(2, "big") + body


def _frame(stream: socket.SocketIO) -> bytearray:
    return _exactly(stream, int.from_bytes(_exactly(stream, 2), "big"))


def _exactly(stream: socket.SocketIO, size: int) -> bytearray:
    data = bytearray()
    while len(data) < size:
        piece = stream.read(size - len(data))
        if not piece:
            raise ConnectionAbortedError("closed in the handshake")
        data += piece
    return data
