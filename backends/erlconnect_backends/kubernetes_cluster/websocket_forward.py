"""The usual way to a pod's ports: one websocket for each stream.

Knows when a websocket is worth another try and when a port is open. Refuses to know how bytes are
pumped. Streams outlive it: each ends when its caller closes it.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from erlconnect_backends.kubernetes_cluster import forward_failures as failures
from erlconnect_backends.kubernetes_cluster.bodies import message_in
from erlconnect_backends.kubernetes_cluster.forward_channels import (
    SUBPROTOCOL,
    ForwardProtocolError,
)
from erlconnect_backends.kubernetes_cluster.forward_pump import ForwardPump
from erlconnect_backends.kubernetes_cluster.judging import Answered, judged
from erlconnect_backends.kubernetes_cluster.signs_of_life import SilentError
from erlconnect_backends.kubernetes_cluster.trying import AgainError, tried
from erlconnect_backends.kubernetes_cluster.websocket import WebSocketFailedError
from erlconnect_backends.kubernetes_cluster.websocket_opening import (
    UpgradeRefusedError,
    open_websocket,
)

if TYPE_CHECKING:
    import socket

    from erlconnect_backends.kubernetes_cluster.cluster_access import Credentials
    from erlconnect_backends.kubernetes_cluster.forward_place import PodPlace
    from erlconnect_backends.kubernetes_cluster.websocket import Opened, Refusal

DIAL_SECONDS: Final = 10.0
_EXPLAIN_SECONDS: Final = 0.5
# No word of this protocol says that a port took the connection. A kubelet that is refused says so
# at once, so that an answer to something later, and a little patience, stand for it.
_ANSWER_SECONDS: Final = 0.5
_COMPLAINT_SECONDS: Final = 0.1
_AT_ONCE: Final = "the stream was closed at once"
# These are about the credentials and the pod: kubectl would hear the same.
_FINAL: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)


class WebSocketForward:
    """Dials ports of one pod."""

    def __init__(self, place: PodPlace) -> None:
        self._place = place
        self._pumps: list[ForwardPump] = []

    async def dial(self, port: int) -> socket.socket:
        """Give our end of a stream to a port that is open.

        Raises ``UnreachableError``, ``RefusedError``, ``TimedOutError``, what credentials raise,
        and ``NoWebSocketError`` where another way may lead there. Cancelled, it leaves nothing
        behind.
        """
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                return await self._dial(port)
        except TimeoutError as error:
            raise failures.silent(self._place, port, DIAL_SECONDS) from error

    async def why_ended(self, stream: socket.socket) -> str:
        """Say what ended ``stream``; empty where it was an orderly end, or is none."""
        pump = next((one for one in self._pumps if one.stream is stream), None)
        if pump is None or not await asyncio.to_thread(pump.ended.wait, _EXPLAIN_SECONDS):
            return ""
        return pump.complaint or _words(pump.failure)

    async def _dial(self, port: int) -> socket.socket:
        opened = await tried(lambda: self._opened(port))
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell() -> None:
            # The stream may outlive the loop.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        pump = ForwardPump(opened, port, name=f"to port {port} of {self._place}", changed=tell)
        self._pumps = [one for one in self._pumps if one.stream.fileno() >= 0] + [pump]
        pump.start()
        try:
            await _settled(pump, changed)
        except BaseException:
            pump.stream.close()
            raise
        if pump.ended.is_set() and not pump.spoken:
            pump.stream.close()
            said = pump.complaint or _words(pump.failure) or _AT_ONCE
            raise failures.closed_port(self._place, port, said)
        return pump.stream

    async def _opened(self, port: int) -> Opened:
        path = f"/api/v1/namespaces/{self._place.namespace}/pods/{self._place.pod}/portforward"
        credentials = await self._place.access.credentials()
        try:
            return await open_websocket(
                self._place.access, credentials, f"{path}?ports={port}", subprotocols=[SUBPROTOCOL]
            )
        except UpgradeRefusedError as error:
            raise await self._judged(error.refusal, port, credentials) from error
        except WebSocketFailedError as error:
            failure = failures.no_websocket(self._place, port, str(error))
            raise AgainError(failures.NoWebSocketError(failure)) from error
        except OSError as error:
            raise failures.unreachable(self._place, port, error) from error

    async def _judged(self, refusal: Refusal, port: int, credentials: Credentials) -> Exception:
        asked = failures.asked_for(self._place, port)
        answered = Answered(
            status=refusal.status,
            said=message_in(refusal.body),
            retry_after=refusal.retry_after,
        )
        verdict = await judged(self._place.access, credentials, asked, answered)
        if isinstance(verdict, AgainError):
            return AgainError(failures.as_transport(verdict.error), pause=verdict.pause)
        failure = failures.as_transport(verdict)
        return failure if refusal.status in _FINAL else failures.NoWebSocketError(failure)


async def _settled(pump: ForwardPump, changed: asyncio.Event) -> None:
    """Return as soon as the port is known to be open or not."""
    while not (pump.opened or pump.ended.is_set()):
        await changed.wait()
        changed.clear()
    with suppress(TimeoutError):
        async with asyncio.timeout(_ANSWER_SECONDS):
            while not (pump.answered or pump.spoken or pump.ended.is_set()):
                await changed.wait()
                changed.clear()
    with suppress(TimeoutError):
        async with asyncio.timeout(_COMPLAINT_SECONDS):
            while not (pump.spoken or pump.ended.is_set()):
                await changed.wait()
                changed.clear()


def _words(failure: Exception | None) -> str:
    match failure:
        case None:
            return ""
        case SilentError() | ForwardProtocolError():
            return f"the way through the API server was given up: {failure}"
        case WebSocketFailedError() | ssl.SSLError():
            return "the API server, or something on the way to it, cut the stream"
        case _:
            why = getattr(failure, "strerror", None) or failure
            return f"the connection to the API server broke: {why}"
