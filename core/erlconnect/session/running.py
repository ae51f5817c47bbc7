"""Asking this user's running sessions for their status, all within one second."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from erlconnect.session.events import SCHEMA
from erlconnect.session.slots import running_slots
from erlconnect.session.status_socket import SOCKET_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SECONDS: Final = 1.0
_MAX_BYTES: Final = 16 * 1024 * 1024
_PIECE: Final = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """``sessions`` are what ``status_payload`` gives, ``silent`` the ids of processes."""

    sessions: Sequence[dict[str, Any]]
    silent: Sequence[int]


def running_sessions(environment: Mapping[str, str]) -> Running:
    """Ask each; what a crash left behind is no session, and one that does not answer is silent."""
    sessions, silent = [], []
    with ExitStack() as stack:
        asked = []
        for pid, folder in running_slots(environment):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            try:
                sock.connect(str(folder / SOCKET_NAME))
            except OSError:
                continue
            asked.append((pid, sock))
        until = time.monotonic() + _SECONDS
        for pid, sock in asked:
            answer = _answer(sock, until)
            if answer is None:
                silent.append(pid)
            else:
                sessions.append(answer)
    return Running(sessions=sessions, silent=silent)


def _answer(sock: socket.socket, until: float) -> dict[str, Any] | None:
    data = bytearray()
    try:
        while len(data) < _MAX_BYTES:
            sock.settimeout(max(0.001, until - time.monotonic()))
            piece = sock.recv(_PIECE)
            if not piece:
                break
            data += piece
        answer = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and answer.get("schema") == SCHEMA else None
