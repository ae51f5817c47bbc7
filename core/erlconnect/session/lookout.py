"""Discovery, approach and an own connection, for commands that look at targets and serve none.

Knows what of a session such a command needs, and leaves nothing behind. Refuses to know what is
shown of it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from erlconnect.epmd.environment import EpmdEnvironment
from erlconnect.proxy.own_connection import OwnConnection
from erlconnect.proxy.stopwatch import Stopwatch
from erlconnect.session.dialling import dialled, seconds_from_now
from erlconnect.session.endings import why_ended
from erlconnect.session.groups import first_error
from erlconnect.session.local_names import CallerNames
from erlconnect.session.service import Service
from erlconnect.session.slots import session_slot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from erlconnect.api import Cookie
    from erlconnect.plugin_catalogue.catalogue import Catalogue
    from erlconnect.session.approach import Approached
    from erlconnect.session.choices import Choices

_DIAL_SECONDS: Final = 6.0


class Lookout:
    """Use :func:`lookout`. ``stopwatch`` has timed whatever was done through ``service``."""

    def __init__(self, service: Service, stopwatch: Stopwatch) -> None:
        self.service = service
        self.stopwatch = stopwatch

    @asynccontextmanager
    async def connection(
        self, approached: Approached, cookie: Cookie
    ) -> AsyncIterator[OwnConnection]:
        """Connect to ``approached`` as a hidden node of our own; leaving ends it cleanly.

        Raises what dialling and a handshake raise, ``RemoteCookieError`` among it.
        """
        dialer, where = approached.dialer, approached.where
        until = seconds_from_now(_DIAL_SECONDS)
        with self.stopwatch.phase("connect", where):
            sock = await dialled(dialer, approached.port, where, until)
        caller_name = self.service.callers.of_check(long=approached.target.node.long)
        connection = OwnConnection(
            sock,
            caller_name=caller_name,
            where=where,
            stopwatch=self.stopwatch,
            length_size=approached.length_size,
        )
        try:
            await connection.shake_hands(cookie, lambda: why_ended(dialer, sock))
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def lookout(
    choices: Choices,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> AsyncIterator[Lookout]:
    """Open what ``choices`` name; leaving closes every transport that was opened.

    Raises ``ErlconnectError`` where the backend cannot be made.
    """
    with session_slot(environment) as slot:
        port = EpmdEnvironment.read(environment).port
        callers = CallerNames(epmd_port=port, slot=slot.number, fixed=choices.caller_name)
        stopwatch = Stopwatch()
        try:
            async with asyncio.TaskGroup() as group:
                service = Service(
                    choices,
                    catalogue,
                    environment,
                    callers=callers,
                    group=group,
                    warn=warn,
                    progress=lambda _: None,
                    stopwatch=stopwatch,
                )
                yield Lookout(service, stopwatch)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
