"""Listeners that answer, and one that does not."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def listening(address: str) -> Iterator[tuple[socket.socket, int]]:
    """A listener on an address of this machine, and its port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen()
        yield listener, listener.getsockname()[1]


@contextmanager
def silent(address: str) -> Iterator[tuple[socket.socket, int]]:
    """A port whose queue of connections is full: further ones get no answer until one is taken."""
    with ExitStack() as stack:
        listener, port = stack.enter_context(listening(address))
        listener.listen(0)
        while True:
            filler = stack.enter_context(socket.socket(listener.family))
            filler.settimeout(0.2)
            try:
                filler.connect((address, port))
            except TimeoutError:
                filler.close()
                break
        yield listener, port


def take_all(listener: socket.socket) -> None:
    """Empty the queue of ``listener``."""
    listener.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
