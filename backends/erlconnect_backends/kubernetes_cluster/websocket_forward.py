"""The usual way to a pod's ports: one websocket for each stream.

Knows when a websocket is worth another try and when a port is open. Refuses to know how bytes are
pumped. Streams outlive it: each ends when its caller closes it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from erlconnect_backends.kubernetes_cluster import forward_failures as failures
from erlconnect_backends.kubernetes_cluster.bodies import message_in
from erlconnect_backends.kubernetes_cluster.channel_codec import ChannelCodec
from erlconnect_backends.kubernetes_cluster.forward_channels import SUBPROTOCOL
from erlconnect_backends.kubernetes_cluster.forward_pump import ForwardPump
from erlconnect_backends.kubernetes_cluster.judging import Answered, judged
from erlconnect_backends.kubernetes_cluster.spdy_streams import SUBPROTOCOL as TUNNEL
from erlconnect_backends.kubernetes_cluster.trying import AgainError, tried
from erlconnect_backends.kubernetes_cluster.tunnel_codec import PORT_BYTES, TunnelCodec
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
# A tunnel that stands is as quick as the network, or is gone and nobody has noticed yet.
_TUNNEL_SECONDS: Final = 2.0
_EXPLAIN_SECONDS: Final = 0.5
# These are about the credentials and the pod: kubectl would hear the same.
_FINAL: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)


class WebSocketForward:
    """Dials ports of one pod."""

    def __init__(self, place: PodPlace) -> None:
        self.place = place
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
            raise failures.silent(self.place, port, DIAL_SECONDS) from error

    async def why_ended(self, stream: socket.socket) -> str:
        """Say what ended ``stream``; empty where it was an orderly end, or is none."""
        pump = next((one for one in self._pumps if one.stream is stream), None)
        if pump is None or not await asyncio.to_thread(pump.ended.wait, _EXPLAIN_SECONDS):
            return ""
        return pump.last_words

    async def tunnel(self) -> ForwardPump:
        """Give a way to the pod that stands and waits for ``dial_through``.

        Raises what ``dial`` raises, and ``NoWebSocketError`` where the server knows no tunnels, as
        Kubernetes before 1.30. The caller owns it.
        """
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                opened = await self._opened("", TUNNEL, port=0)
        except AgainError as error:
            raise error.error from error
        except TimeoutError as error:
            raise failures.silent(self.place, 0, DIAL_SECONDS) from error
        if opened.websocket.subprotocol != TUNNEL:
            opened.wire.close()
            raise failures.NoWebSocketError(
                failures.no_websocket(self.place, 0, "it is no tunnel for SPDY")
            )
        pump = ForwardPump(opened, TunnelCodec, name=f"to {self.place}")
        pump.start()
        return pump

    async def dial_through(self, tunnel: ForwardPump, port: int) -> socket.socket:
        """Give our end of a stream to a port that is open, as ``dial`` does; it takes the tunnel.

        ``TimedOutError`` comes early: another tunnel may be alive.
        """
        try:
            async with asyncio.timeout(_TUNNEL_SECONDS):
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(tunnel.stream, port.to_bytes(PORT_BYTES, "big"))
                return await self._settled(tunnel, port)
        except BaseException as error:
            tunnel.stream.close()
            if isinstance(error, TimeoutError):
                raise failures.silent(self.place, port, _TUNNEL_SECONDS) from error
            raise

    async def _dial(self, port: int) -> socket.socket:
        opened = await tried(lambda: self._opened(f"?ports={port}", SUBPROTOCOL, port=port))
        make_codec = partial(ChannelCodec, port=port)
        pump = ForwardPump(opened, make_codec, name=f"to port {port} of {self.place}")
        pump.start()
        try:
            return await self._settled(pump, port)
        except BaseException:
            pump.stream.close()
            raise

    async def _settled(self, pump: ForwardPump, port: int) -> socket.socket:
        self._pumps = [one for one in self._pumps if one.stream.fileno() >= 0] + [pump]
        if said := await pump.refusal():
            raise failures.closed_port(self.place, port, said)
        return pump.stream

    async def _opened(self, query: str, subprotocol: str, *, port: int) -> Opened:
        path = f"/api/v1/namespaces/{self.place.namespace}/pods/{self.place.pod}/portforward"
        credentials = await self.place.access.credentials()
        try:
            return await open_websocket(
                self.place.access, credentials, f"{path}{query}", subprotocols=[subprotocol]
            )
        except UpgradeRefusedError as error:
            raise await self._judged(error.refusal, port, credentials) from error
        except WebSocketFailedError as error:
            failure = failures.no_websocket(self.place, port, str(error))
            raise AgainError(failures.NoWebSocketError(failure)) from error
        except OSError as error:
            raise failures.unreachable(self.place, port, error) from error

    async def _judged(self, refusal: Refusal, port: int, credentials: Credentials) -> Exception:
        asked = failures.asked_for(self.place, port)
        answered = Answered(
            status=refusal.status,
            said=message_in(refusal.body),
            retry_after=refusal.retry_after,
        )
        verdict = await judged(self.place.access, credentials, asked, answered)
        if isinstance(verdict, AgainError):
            return AgainError(failures.as_transport(verdict.error), pause=verdict.pause)
        failure = failures.as_transport(verdict)
        return failure if refusal.status in _FINAL else failures.NoWebSocketError(failure)
