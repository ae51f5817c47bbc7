"""From the settings to whom is asked and how: over this machine's network, or inside a cluster."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from erlconnect_backends.dns_records.inside import is_inside, name_server_inside
from erlconnect_backends.dns_records.servers import name_servers
from erlconnect_backends.dns_records.tries import Tries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from erlconnect.api import SessionApi
    from erlconnect_backends.dns_records.discovery import DnsSettings


@asynccontextmanager
async def tries_of(
    settings: DnsSettings, session: SessionApi, *, seconds: float
) -> AsyncIterator[tuple[Tries, float]]:
    """Give the servers to ask, and the event loop's time until when; usually after ``seconds``.

    Raises what ``name_servers`` and ``name_server_inside`` raise.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    if settings.server and is_inside(settings.server):
        async with name_server_inside(settings.server, session) as (server, open_stream):
            # A way that was slow to open is as slow for the next question.
            longer = seconds + loop.time() - began
            tries = Tries([server], tcp=True, seconds=longer, open_stream=open_stream)
            yield tries, loop.time() + longer
    else:
        until = began + seconds
        servers = await name_servers(settings.server, until=until)
        yield Tries(servers, tcp=settings.tcp, seconds=seconds), until
