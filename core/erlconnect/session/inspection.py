"""Discovery, connector and a connection of our own, for commands that serve no alias.

``ping``, ``targets``, ``doctor`` and ``connect --dry-run`` open an ``InspectionSession`` instead of
a ``Session``; the commands' work is in ``diagnostics`` and in ``plan.py``.
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


@asynccontextmanager
async def inspection_session(
    config: SessionConfig,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> AsyncIterator[InspectionSession]:
    """Set up the backend and the plugins of ``config``; leaving closes every open transport.

    Raises ``ErlconnectError`` where the backend cannot be created.
    """
    # The number goes into caller names: two probes of one node at the same time need two names.
    with instance_lock(environment) as lock:
        port = EpmdEnvironment.read(environment).port
        callers = CallerNames(epmd_port=port, slot=lock.number, fixed=config.caller_name)
        timer = Timer()
        try:
            async with asyncio.TaskGroup() as group:
                context = TargetContext(
                    config,
                    catalogue,
                    environment,
                    callers=callers,
                    group=group,
                    warn=warn,
                    progress=lambda _: None,
                    timer=timer,
                )
                yield InspectionSession(context, timer)
        # The group wraps every error; callers expect the `ErlconnectError` itself.
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None


class InspectionSession:
    """Made by ``inspection_session``. ``timer`` has the phases of all calls through ``context``."""

    def __init__(self, context: TargetContext, timer: Timer) -> None:
        self.context = context
        self.timer = timer

    @asynccontextmanager
    async def connection(
        self,
        connected: ConnectedTarget,
        cookie: Cookie,
        *,
        flags: int = PROBE_FLAGS,
        max_frame: int = MAX_FRAME,
    ) -> AsyncIterator[NodeClient]:
        """Connect to ``connected`` as a hidden node of our own; leaving ends it cleanly.

        ``flags`` are those that we claim; ``max_frame`` limits a received frame, in bytes.
        Raises the errors of dialling and of a handshake, among them ``RemoteCookieError``.
        """
        dialer, where = connected.dialer, connected.where
        until = seconds_from_now(_DIAL_SECONDS)
        with self.timer.phase("connect", where):
            stream = await dial_until(dialer, connected.port, where, until)
        callers = self.context.callers
        client = NodeClient(
            stream,
            caller_name=callers.for_own_connection(long=connected.target.node.long),
            where=where,
            stopwatch=self.timer,
            length_size=connected.length_size,
            flags=flags,
            max_frame=max_frame,
        )
        try:
            await client.shake_hands(cookie, lambda: disconnect_reason(dialer, stream))
            yield client
        finally:
            await client.close()
