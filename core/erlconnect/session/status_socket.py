"""The socket at which a session tells its status: one JSON object for each connection.

It is in the session's own folder, which nobody but its user can enter. A session that cannot have
one goes on without.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Final, Self

from erlconnect.session.events import redacted_fields
from erlconnect.session.status import status_payload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from erlconnect.session.status import SessionStatus

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
