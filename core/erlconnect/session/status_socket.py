"""The Unix socket that answers ``erlconnect status``, and its client.

A session writes one JSON object to each connection, and closes it. The socket is in the session's
own folder (``instance_lock.py``), which nobody but its user can enter. A session that cannot have
one goes on without it.
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
_WRITE_SECONDS: Final = 2.0
# For the answers of all sessions together.
_ANSWER_SECONDS: Final = 1.0
_MAX_BYTES: Final = 16 * 1024 * 1024
_CHUNK: Final = 65536
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
            _log.debug("no status at %s: %s", self._path, error)
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
        """Write the status; a client that does not read it is disconnected after two seconds."""
        # With a limit of 0, drain() waits until everything is written.
        writer.transport.set_write_buffer_limits(0)
        writer.write(json.dumps(redacted_fields(status_payload(self._status()))).encode())
        try:
            async with asyncio.timeout(_WRITE_SECONDS):
                await writer.drain()
            writer.close()
        except (OSError, TimeoutError):
            writer.transport.abort()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSessions:
    """``sessions`` are objects of ``status_payload``, ``silent`` the ids of the other processes."""

    sessions: Sequence[dict[str, Any]]
    silent: Sequence[int]


def running_sessions(environment: Mapping[str, str]) -> RunningSessions:
    """Ask all sessions of this user, within one second."""
    sessions, silent = [], []
    with ExitStack() as stack:
        connected = []
        for pid, folder in running_instances(environment):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            try:
                sock.connect(str(folder / SOCKET_NAME))
            except OSError:
                # Nobody listens: this is what a crash left behind.
                continue
            connected.append((pid, sock))
        until = time.monotonic() + _ANSWER_SECONDS
        for pid, sock in connected:
            answer = _receive(sock, until)
            if answer is None:
                silent.append(pid)
            else:
                sessions.append(answer)
    return RunningSessions(sessions=sessions, silent=silent)


def _receive(sock: socket.socket, until: float) -> dict[str, Any] | None:
    data = bytearray()
    try:
        while len(data) < _MAX_BYTES:
            sock.settimeout(max(0.001, until - time.monotonic()))
            chunk = sock.recv(_CHUNK)
            if not chunk:
                break
            data += chunk
        answer = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and answer.get("schema") == SCHEMA else None
