"""The API server behind a proxy: CONNECT, and a kubeconfig that asks for it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from backends.kubernetes.port_forward.here import Here, echoed
from world.kubernetes.kubeconfig import Kubeconfig, by_token
from world.listeners import echo, listening

if TYPE_CHECKING:
    from pathlib import Path


def connect(connection: socket.socket, asked: list[str]) -> None:
    """Lead on to where the client wants, as HTTP proxies do."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    asked.append(head.split(b"\r\n")[0].decode())
    host, _, port = head.split()[1].decode().rpartition(":")
    with socket.create_connection((host, int(port))) as onward:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=carry, args=(onward, connection))
        back.start()
        carry(connection, onward)
        back.join()


def carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


async def test_the_proxy_of_the_kubeconfig_is_used(here: Here, tmp_path: Path) -> None:
    asked: list[str] = []
    with listening(lambda one: connect(one, asked)) as proxy, listening(echo) as port:
        kubeconfig = Kubeconfig().context(
            "behind",
            server=here.api.url,
            authority=here.api.authority.certificate,
            user=by_token(here.api.token),
            cluster={"proxy-url": f"http://127.0.0.1:{proxy}"},
        )
        path = kubeconfig.write(tmp_path / "behind")
        async with here.open(port, kubeconfig=str(path)) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"
    # The stream and the tunnel for the next one.
    assert asked == [f"CONNECT 127.0.0.1:{here.api.port} HTTP/1.1"] * 2
