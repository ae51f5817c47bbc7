"""A process that relays one connection: ``python floor_relay.py raw|erlconnect PORT``.

``raw`` moves bytes with the same threads and buffers and knows nothing of frames: what Python
itself costs. Prints the port to dial; dials PORT of 127.0.0.1 when somebody does.
"""

from __future__ import annotations

import socket
import sys
import threading
from typing import TYPE_CHECKING

from erlconnect.distribution.name_mapping import CompiledMapping, inverse, permutation
from erlconnect.distribution.rewriter import Rewriter
from erlconnect.proxy.relay import Pump

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = permutation(
    [
        ("app@127.0.0.1", "app@10.3.2.1"),
        ("dev@127.0.0.1", "dev-somebody-0123abcd@erlconnect.invalid"),
    ]
)
_BUFFER = 512 * 1024


def main(kind: str, port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        local, _ = listener.accept()
    remote = socket.create_connection(("127.0.0.1", port))
    for connection in (local, remote):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pump = {"raw": raw_pump, "erlconnect": erlconnect_pump}[kind]
    threads = [pump(local, remote, NAMES), pump(remote, local, inverse(NAMES))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def raw_pump(source: socket.socket, sink: socket.socket, _: Mapping[str, str]) -> threading.Thread:
    def move() -> None:
        buffer = memoryview(bytearray(_BUFFER))
        while received := source.recv_into(buffer):
            sink.sendall(buffer[:received])
        sink.shutdown(socket.SHUT_WR)

    return threading.Thread(target=move)


def erlconnect_pump(
    source: socket.socket, sink: socket.socket, names: Mapping[str, str]
) -> threading.Thread:
    return Pump(
        "local",
        source=source,
        sink=sink,
        rewriter=Rewriter(CompiledMapping(names)),
        on_end=lambda _: sink.shutdown(socket.SHUT_WR),
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
