"""Tunnels to a pod that are open before anybody dials, so that a link need not wait for the API.

``port_forward`` takes one for each dial. The pool opens the next one then. After one that ended by
itself it opens the next after a pause, which doubles, and none where the server knows no tunnels.
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


class TunnelPool:
    """Keeps ``number`` tunnels open."""

    def __init__(self, forward: WebSocketForward, number: int) -> None:
        self._slots = [_TunnelSlot(forward) for _ in range(number)]

    @asynccontextmanager
    async def filled(self) -> AsyncIterator[None]:
        """Keep the tunnels open within the context; leaving it closes them."""
        tasks = [asyncio.ensure_future(slot.keep_open()) for slot in self._slots]
        try:
            yield
        finally:
            # ``take`` may still be called while the tasks end: then there is no tunnel.
            self._slots = []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def ready(self, seconds: float) -> None:
        """Wait until each was opened or refused, for ``seconds`` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for slot in self._slots:
                    await slot.tried.wait()

    def take(self) -> ForwardPump | None:
        """Return an open tunnel, if there is one; the caller owns it."""
        for slot in self._slots:
            if tunnel := slot.take():
                return tunnel
        return None


class _TunnelSlot:
    """One tunnel of the pool, which is opened again after it was taken."""

    def __init__(self, forward: WebSocketForward) -> None:
        self.tried = asyncio.Event()
        self._forward = forward
        self._taken = asyncio.Event()
        self._tunnel: ForwardPump | None = None

    def take(self) -> ForwardPump | None:
        """Return the tunnel, if there is one."""
        tunnel, self._tunnel = self._tunnel, None
        # One that has ended is replaced by ``keep_open``, which notices it by itself.
        if tunnel is None or tunnel.ended.is_set():
            return None
        self._taken.set()
        return tunnel

    async def keep_open(self) -> None:
        """Keep one open until the server turns out to know no tunnels."""
        pause = _FIRST_PAUSE_SECONDS
        try:
            while True:
                if await self._one_tunnel():
                    pause = _FIRST_PAUSE_SECONDS
                    continue
                await asyncio.sleep(pause)
                # A server that keeps closing idle tunnels is asked less and less often.
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        except failures.NoWebSocketError as error:
            _log.debug("no tunnel is kept to the pod: %s", error.message)
        finally:
            self.tried.set()

    async def _one_tunnel(self) -> bool:
        """Open one and wait until it was taken or has ended; return whether it was taken."""
        # Cleared before the tunnel exists: ``take`` cannot set it in between.
        self._taken.clear()
        try:
            self._tunnel = tunnel = await self._forward.tunnel()
        except failures.NoWebSocketError:
            raise
        except ErlconnectError as error:
            _log.debug("no tunnel to the pod for now: %s", error.message)
            return False
        finally:
            # A refused attempt counts as well: ``ready`` must not wait through the pauses.
            self.tried.set()
        ends = {asyncio.ensure_future(end) for end in (self._taken.wait(), tunnel.gone())}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            # Who took the tunnel owns it; one that was not taken is closed here.
            if not self._taken.is_set():
                self._tunnel = None
                tunnel.stream.close()
        return self._taken.is_set()
