"""Tunnels to a pod that stand before anybody dials, so that a link need not wait for the API.

A tunnel that was taken is followed by the next. One that ended by itself is followed after a pause,
which doubles, and none follows where the server knows no tunnels.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from erlconnect.api import ErlconnectError
from erlconnect_backends.kubernetes import forward_errors as failures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from erlconnect_backends.kubernetes.forward_streams import ForwardPump
    from erlconnect_backends.kubernetes.port_forward import WebSocketForward

_log = logging.getLogger(__name__)
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 300.0


class _PodTunnels:
    """Room for one spare tunnel."""

    def __init__(self, way: WebSocketForward) -> None:
        self.tried = asyncio.Event()
        self._way = way
        self._taken = asyncio.Event()
        self._tunnel: ForwardPump | None = None

    def take(self) -> ForwardPump | None:
        """Return the tunnel, if there is one."""
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is None or tunnel.ended.is_set():
            return None
        self._taken.set()
        return tunnel

    async def keep(self) -> None:
        """Keep one there until the server turns out to know none."""
        pause = _FIRST_PAUSE_SECONDS
        try:
            while True:
                if await self._one_life():
                    pause = _FIRST_PAUSE_SECONDS
                    continue
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        except failures.NoWebSocketError as error:
            _log.debug("no tunnel is kept to the pod: %s", error.message)
        finally:
            self.tried.set()

    async def _one_life(self) -> bool:
        """Open one and wait until it is not there any more; say whether it was taken."""
        self._taken.clear()
        try:
            self._tunnel = tunnel = await self._way.tunnel()
        except failures.NoWebSocketError:
            raise
        except ErlconnectError as error:
            _log.debug("no tunnel to the pod for now: %s", error.message)
            return False
        finally:
            self.tried.set()
        ends = {asyncio.ensure_future(end) for end in (self._taken.wait(), tunnel.gone())}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            if not self._taken.is_set():
                self._tunnel = None
                tunnel.stream.close()
        return self._taken.is_set()


class TunnelPool:
    """So many tunnels as there are places."""

    def __init__(self, way: WebSocketForward, number: int) -> None:
        self._places = [_PodTunnels(way) for _ in range(number)]

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Keep them there; afterwards there are none."""
        tasks = [asyncio.ensure_future(place.keep()) for place in self._places]
        try:
            yield
        finally:
            self._places = []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def ready(self, seconds: float) -> None:
        """Wait until each was opened or refused, so long at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for place in self._places:
                    await place.tried.wait()

    def take(self) -> ForwardPump | None:
        """Return one that stands, if there is one; the caller owns it."""
        for place in self._places:
            if tunnel := place.take():
                return tunnel
        return None
