"""Waiting for several sockets at once, in a thread. Knows nothing of what they are for."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


class Watcher:
    """Remembers what is wanted of each socket, so that only changes cost a call."""

    def __init__(self) -> None:
        self._poller = select.poll()
        self._watched: dict[int, int] = {}
        self._happened: dict[int, int] = {}

    def want(self, sock: socket.socket, *, read: bool, write: bool, end: bool = False) -> None:
        """Say what to wait for; without any, its end would be told without a pause."""
        number = sock.fileno()
        wanted = (select.POLLIN if read else 0) | (select.POLLOUT if write else 0)
        if wanted or end:
            if self._watched.get(number) != wanted:
                self._poller.register(number, wanted)
                self._watched[number] = wanted
        elif self._watched.pop(number, None) is not None:
            self._poller.unregister(number)

    def wait(self, seconds: float | None) -> None:
        """Wait until something happens, at most so long."""
        self._happened = dict(self._poller.poll(None if seconds is None else seconds * 1000))

    def happened(self, sock: socket.socket) -> bool:
        """Say whether anything happened to it."""
        return sock.fileno() in self._happened

    def has_ended(self, sock: socket.socket) -> bool:
        """Say whether its other end is gone altogether."""
        return bool(self._happened.get(sock.fileno(), 0) & (select.POLLHUP | select.POLLERR))
