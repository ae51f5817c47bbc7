"""Any bytes as what a proxy answers: a connection to the server, or an OSError.

By CONNECT the answer ends where its head does, and bytes behind it are an OSError. By SOCKS 5 they
are the server's and stay unread.
"""

from __future__ import annotations

import asyncio
import socket

from fuzz_input import InputReader

from erlconnect_backends.kubernetes.connection import Proxy, proxy_connect

PROXIES = [
    Proxy(scheme=scheme, host="proxy", port=1080, user=user, password=user)
    for scheme in ("http", "socks5")
    for user in ("", "me")
]
BEHIND = b"\x16\x03\x01"
_loop = asyncio.new_event_loop()


async def passed(proxy: Proxy, answer: bytes) -> None:
    """Connect through ``proxy``; of what follows its answer nothing may be read."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        try:
            await proxy_connect(ours, proxy, "api.example", 6443)
        except OSError:
            return
        left = ours.recv(len(answer) + 1)
        assert answer.endswith(left)
        assert proxy.scheme == "socks5" or not left


def one_input(data: bytes) -> None:
    """Check one input."""
    reader = InputReader(data)
    proxy = PROXIES[reader.number(len(PROXIES))]
    begins = b"HTTP/1.1 200 OK\r\n" * reader.number(2)
    answer = begins + reader.rest()[:4000] + (BEHIND if proxy.scheme == "socks5" else b"")
    _loop.run_until_complete(passed(proxy, answer))
