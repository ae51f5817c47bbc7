"""A TCP relay on loopback that records what passes, and can hold, cut or reset it.

Knows no protocol. Two threads per connection, ended by the end of their sockets.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Final, Self

from world.ports import free_port
from world.waiting import wait_until

if TYPE_CHECKING:
    from types import TracebackType

_CHUNK: Final = 64 * 1024
_RECORDED: Final = 64 * 1024 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class RecordedConnection:
    """One connection through the relay: the bytes that passed so far, in each direction."""

    def __init__(self, client: socket.socket, target: socket.socket, *, held: bool) -> None:
        self.from_client = bytearray()
        self.from_target = bytearray()
        self._sockets = (client, target)
        self._ended = False
        self._flowing = threading.Event()
        if not held:
            self._flowing.set()
        self._threads = [
            threading.Thread(target=self._pump, args=(client, target, self.from_client)),
            threading.Thread(target=self._pump, args=(target, client, self.from_target)),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_open(self) -> bool:
        """Whether either direction still flows."""
        return any(thread.is_alive() for thread in self._threads)

    def hold(self) -> None:
        """Let nothing pass any more; what is in flight stays in the relay."""
        self._flowing.clear()

    def release(self) -> None:
        """Let everything pass again."""
        self._flowing.set()

    def cut(self) -> None:
        """End both directions as an orderly close does."""
        self._end(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End both directions by a TCP reset."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._end(socket.SHUT_RD)

    def _end(self, how: int) -> None:
        self._ended = True
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(how)
        self.release()
        for thread in self._threads:
            thread.join(5)
        for end in self._sockets:
            end.close()

    def _pump(self, source: socket.socket, sink: socket.socket, record: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                self._flowing.wait()
                if self._ended:
                    return
                if len(record) < _RECORDED:
                    record += data
                sink.sendall(data)
            if not self._ended:
                sink.shutdown(socket.SHUT_WR)


class RecordingRelay:
    """Relays ``port`` of 127.0.0.1 to a target; a context manager that ends every connection."""

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.connections: list[RecordedConnection] = []
        self._target = (target_host, target_port)
        self._held = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wait_connection(self, number: int = 1, timeout: float = 10) -> RecordedConnection:
        """The connection with that number, counted from 1, as soon as it is there."""
        what = f"connection {number} through the relay"
        wait_until(lambda: len(self.connections) >= number, what, timeout)
        return self.connections[number - 1]

    def hold(self) -> None:
        """Let nothing pass any more, on connections to come too."""
        self._held = True
        for connection in self.connections:
            connection.hold()

    def release(self) -> None:
        """Let everything pass again."""
        self._held = False
        for connection in self.connections:
            connection.release()

    def cut(self) -> None:
        """End every connection in an orderly way; new ones are still relayed."""
        for connection in self.connections:
            connection.cut()

    def reset(self) -> None:
        """End every connection by a TCP reset; new ones are still relayed."""
        for connection in self.connections:
            connection.reset()

    def close(self) -> None:
        """Stop listening and end every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(5)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            target = socket.create_connection(self._target, timeout=10)
        except OSError:
            client.close()
            return
        target.settimeout(None)
        self.connections.append(RecordedConnection(client, target, held=self._held))
