"""The socket at which a session tells its status: one JSON object for each connection.

It is in the session's own folder, which nobody but its user can enter. A session that cannot have
one goes on without.

Asking this user's running sessions for their status, all within one second.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from erlconnect.session.events import SCHEMA, redacted_fields, status_payload
from erlconnect.session.instance_lock import running_instances

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from erlconnect.session.events import SessionStatus

SOCKET_NAME: Final = "status"
_SECONDS: Final = 2.0
_log = logging.getLogger(__name__)


class StatusSocket:
    """An asynchronous context manager; leaving it removes the socket."""

    def __init__(self, folder: Path, status: Callable[[], SessionStatus]) -> None:
        self._path = folder / SOCKET_NAME
        self._status = status
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_unix_server(self._answer, self._path)
            self._path.chmod(0o600)
        except OSError as error:  # its path may be too long for a socket
            _log.debug("no status is told at %s: %s", self._path, error)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Write the status; whoever does not read it is left after two seconds."""
        writer.transport.set_write_buffer_limits(0)
        writer.write(json.dumps(redacted_fields(status_payload(self._status()))).encode())
        try:
            async with asyncio.timeout(_SECONDS):
                await writer.drain()
            writer.close()
        except (OSError, TimeoutError):
            writer.transport.abort()


_ANSWER_SECONDS: Final = 1.0
_MAX_BYTES: Final = 16 * 1024 * 1024
_PIECE: Final = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSession:
    """``sessions`` are what ``status_payload`` gives, ``silent`` the ids of processes."""

    sessions: Sequence[dict[str, Any]]
    silent: Sequence[int]


def running_sessions(environment: Mapping[str, str]) -> RunningSession:
    """Ask each; what a crash left behind is no session, and one that does not answer is silent."""
    sessions, silent = [], []
    with ExitStack() as stack:
        asked = []
        for pid, folder in running_instances(environment):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            try:
                sock.connect(str(folder / SOCKET_NAME))
            except OSError:
                continue
            asked.append((pid, sock))
        until = time.monotonic() + _ANSWER_SECONDS
        for pid, sock in asked:
            answer = _answer(sock, until)
            if answer is None:
                silent.append(pid)
            else:
                sessions.append(answer)
    return RunningSession(sessions=sessions, silent=silent)


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
