"""Discovery, approach and an own connection, for commands that look at targets and serve none.

Knows what of a session such a command needs, and leaves nothing behind. Refuses to know what is
shown of it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from erlconnect.contract import disconnect_reason
from erlconnect.distribution.flags import PROBE_FLAGS
from erlconnect.epmd.local_epmd import EpmdEnvironment
from erlconnect.proxy.node_client import MAX_FRAME, NodeClient
from erlconnect.proxy.timing import Timer
from erlconnect.session.config import TargetContext
from erlconnect.session.connector import dial_until, first_error, seconds_from_now
from erlconnect.session.instance_lock import instance_lock
from erlconnect.session.names import CallerNames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from erlconnect.contract import Cookie
    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.session.config import SessionConfig
    from erlconnect.session.connector import ConnectedTarget

_DIAL_SECONDS: Final = 6.0


class InspectionSession:
    """Use :func:`lookout`. ``stopwatch`` has timed whatever was done through ``service``."""

    def __init__(self, service: TargetContext, stopwatch: Timer) -> None:
        self.service = service
        self.stopwatch = stopwatch

    @asynccontextmanager
    async def connection(
        self,
        approached: ConnectedTarget,
        cookie: Cookie,
        *,
        flags: int = PROBE_FLAGS,
        max_frame: int = MAX_FRAME,
    ) -> AsyncIterator[NodeClient]:
        """Connect to ``approached`` as a hidden node of our own; leaving ends it cleanly.

        ``flags`` are what we claim, ``max_frame`` the bytes of the longest frame that is read.

        Raises what dialling and a handshake raise, ``RemoteCookieError`` among it.
        """
        dialer, where = approached.dialer, approached.where
        until = seconds_from_now(_DIAL_SECONDS)
        with self.stopwatch.phase("connect", where):
            sock = await dial_until(dialer, approached.port, where, until)
        caller_name = self.service.callers.of_check(long=approached.target.node.long)
        connection = NodeClient(
            sock,
            caller_name=caller_name,
            where=where,
            stopwatch=self.stopwatch,
            length_size=approached.length_size,
            flags=flags,
            max_frame=max_frame,
        )
        try:
            await connection.shake_hands(cookie, lambda: disconnect_reason(dialer, sock))
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def inspection_session(
    choices: SessionConfig,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> AsyncIterator[InspectionSession]:
    """Open what ``choices`` name; leaving closes every transport that was opened.

    Raises ``ErlconnectError`` where the backend cannot be made.
    """
    with instance_lock(environment) as slot:
        port = EpmdEnvironment.read(environment).port
        callers = CallerNames(epmd_port=port, slot=slot.number, fixed=choices.caller_name)
        stopwatch = Timer()
        try:
            async with asyncio.TaskGroup() as group:
                service = TargetContext(
                    choices,
                    catalogue,
                    environment,
                    callers=callers,
                    group=group,
                    warn=warn,
                    progress=lambda _: None,
                    stopwatch=stopwatch,
                )
                yield InspectionSession(service, stopwatch)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
