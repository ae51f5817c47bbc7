"""Sockets inside another network namespace, as a kubelet opens them."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from pathlib import Path
from typing import Final

_CLONE_NEWNET: Final = 0x40000000
_FOLDER: Final = Path("/run/netns")
_SECONDS: Final = 10


def socket_inside(namespace: str, family: int) -> socket.socket:
    """A new TCP socket that belongs to the network namespace of this name. Raises OSError."""
    made: list[socket.socket | OSError] = []
    # A namespace is a property of a thread, so a thread of its own enters it and ends there.
    thread = threading.Thread(target=_enter_and_open, args=(namespace, family, made))
    thread.start()
    thread.join(_SECONDS)
    (result,) = made
    if isinstance(result, OSError):
        raise result
    return result


def _enter_and_open(namespace: str, family: int, made: list[socket.socket | OSError]) -> None:
    try:
        with (_FOLDER / namespace).open("rb") as place:
            _enter(place.fileno())
        made.append(socket.socket(family, socket.SOCK_STREAM))
    except OSError as error:
        made.append(error)


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
