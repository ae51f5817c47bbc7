"""The server behind the sidecar, a process of its own: ``python -m benchmarks.mesh.peer``.

Prints its port. A client sends one letter and a size in 8 bytes: ``u`` and as many bytes, which
are answered by one; ``d``, answered by as many; ``e`` and single bytes, which come back.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

PIECE = bytes(256 * 1024)


def request(letter: bytes, size: int) -> bytes:
    return letter + size.to_bytes(8, "big")


def take(stream: socket.socket, size: int) -> None:
    room = memoryview(bytearray(PIECE))
    while size:
        taken = stream.recv_into(room[: min(size, len(room))])
        if not taken:
            raise ConnectionError("the stream ended too soon")
        size -= taken


def give(stream: socket.socket, size: int) -> None:
    while size:
        stream.sendall(memoryview(PIECE)[:size])
        size -= min(size, len(PIECE))


def _serve(stream: socket.socket) -> None:
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with stream, suppress(OSError):
        while head := stream.recv(9, socket.MSG_WAITALL):
            size = int.from_bytes(head[1:], "big")
            if head[:1] == b"u":
                take(stream, size)
                stream.sendall(b"k")
            elif head[:1] == b"d":
                give(stream, size)
            else:
                for _ in range(size):
                    stream.sendall(stream.recv(1))


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            threading.Thread(target=_serve, args=(listener.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    main()
