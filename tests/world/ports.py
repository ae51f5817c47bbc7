"""Ports that tests may listen on. Knows nothing of who will listen there."""

from __future__ import annotations

import os
import random
import socket
from contextlib import ExitStack

# Test processes side by side: each takes every so manieth port, or two would choose one at once.
_SIDE_BY_SIDE = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_OWN = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
# Below the ephemeral range, so that no outgoing connection of anybody takes one meanwhile.
_CANDIDATES = range(15_000 + _OWN, 32_000, _SIDE_BY_SIDE)
_handed_out: set[int] = set()


def free_port() -> int:
    """A port free for TCP and UDP on 127.0.0.1 and ::1, never handed out twice in this process."""
    for port in random.sample(_CANDIDATES, 200):
        if port not in _handed_out and _is_free(port):
            _handed_out.add(port)
            return port
    raise AssertionError("none of 200 random loopback ports is free")


def is_open(port: int) -> bool:
    """Whether somebody listens on 127.0.0.1."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _is_free(port: int) -> bool:
    with ExitStack() as sockets:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                listener = sockets.enter_context(socket.socket(family, kind))
                try:
                    listener.bind((address, port))
                except OSError:
                    return False
    return True
