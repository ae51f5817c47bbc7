"""Servers to talk to, each in a process of its own, so that its sockets are not counted here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from world.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVER = """
import socketserver
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        while piece := self.request.recv(65536):
            self.request.sendall(piece{change})
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
with Server(("127.0.0.1", 0), Handler) as server:
    print("listening on", server.server_address[1], flush=True)
    server.serve_forever()
"""


def _served(change: str) -> Iterator[int]:
    with Process([sys.executable, "-c", _SERVER.format(change=change)]) as server:
        yield int(server.wait_for_line("listening on").split()[-1])


@pytest.fixture(scope="module")
def echo_port() -> Iterator[int]:
    """A port of a server that sends back what it gets."""
    yield from _served("")


@pytest.fixture(scope="module")
def garbling_port() -> Iterator[int]:
    """A port of a server that sends back something else."""
    yield from _served("[::-1]")
