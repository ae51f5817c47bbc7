"""Servers on a port of this machine, each connection in a thread of its own."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def listening(handle: Callable[[socket.socket], None], *, port: int = 0) -> Iterator[int]:
    """Serve each connection to a port here with ``handle`` in its own thread; return the port."""
    listener = socket.create_server(("127.0.0.1", port))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            handle(connection)

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        listener.close()


def echo(connection: socket.socket) -> None:
    """Send back what comes, and end when it ends."""
    while data := connection.recv(65536):
        connection.sendall(data)
