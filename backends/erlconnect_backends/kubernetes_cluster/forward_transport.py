"""Opens ``kubernetes-port-forward``: warm before anything depends on it, and by which of two ways.

Refuses to know how either way is gone: ``websocket_forward`` and ``kubectl_forward`` do.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol

from erlconnect.api import ErlconnectError
from erlconnect_backends.kubernetes_cluster import forward_failures as failures
from erlconnect_backends.kubernetes_cluster.client import cluster_access
from erlconnect_backends.kubernetes_cluster.forward_place import PodPlace, place_of
from erlconnect_backends.kubernetes_cluster.kubectl_forward import kubectl_forward, program
from erlconnect_backends.kubernetes_cluster.spare_tunnels import SpareTunnels
from erlconnect_backends.kubernetes_cluster.websocket_forward import WebSocketForward
from erlconnect_backends.sockets import has_ended

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from erlconnect.api import Target
    from erlconnect_backends.kubernetes_cluster.port_forward import PortForwardSettings

_log = logging.getLogger(__name__)

# A node gives a connection on which nothing is said 7 s.
_READY_SECONDS: Final = 4.0
_SPARES_SECONDS: Final = 1.0


class PortForwardTransport:
    """Opens the way to the ports of one pod."""

    def __init__(self, settings: PortForwardSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[PortForwardDialer]:
        """Find the pod and open a first stream, which the first dial to its port gets.

        Raises what credentials raise, and what ``dial`` raises except for a closed port. Streams go
        on after the context until they are closed, those through kubectl end with it.
        """
        place = await _place(self._settings, target)
        async with AsyncExitStack() as stack:
            way = WebSocketForward(place)
            # An epmd that has to be asked is followed by a stream to the node at once.
            spares = SpareTunnels(way, 1 if target.dist_port else 2)
            await stack.enter_async_context(spares.kept())
            dialer = PortForwardDialer(way, spares, str(self._settings.kubeconfig or ""), stack)
            stack.callback(dialer.forget)
            await dialer.warm_up(target.dist_port or target.epmd_port)
            yield dialer


async def _place(settings: PortForwardSettings, target: Target) -> PodPlace:
    access = await cluster_access(settings)
    try:
        return await place_of(settings, access, target)
    except ErlconnectError as error:
        raise failures.as_transport(error) from error


class Way(Protocol):
    """A way to the ports of one pod."""

    async def dial(self, port: int) -> socket.socket:
        """As ``Dialer.dial``."""

    async def why_ended(self, stream: socket.socket) -> str:
        """As ``ExplainsEnd.why_ended``."""


class PortForwardDialer:
    """Dials ports of one pod, by kubectl from when on websockets are refused."""

    def __init__(
        self, way: WebSocketForward, spares: SpareTunnels, kubeconfig: str, stack: AsyncExitStack
    ) -> None:
        self._place = way.place
        self._tunnels = way
        self._spares = spares
        self._kubeconfig = kubeconfig
        self._stack = stack
        self._ways: list[Way] = [way]
        self._ready: tuple[int, socket.socket] | None = None
        self._falling_back = asyncio.Lock()

    async def warm_up(self, port: int) -> None:
        """Dial ``port`` for whoever dials it next; a closed port is theirs to hear of.

        Tunnels for those after that are opened meanwhile, and not waited for much longer.
        """
        try:
            stream = await self._dial(port)
        except failures.ClosedPortError:
            return
        finally:
            await self._spares.ready(_SPARES_SECONDS)
        self._ready = port, stream
        asyncio.get_running_loop().call_later(_READY_SECONDS, self._forget_one, stream)

    async def dial(self, port: int) -> socket.socket:
        """Give a plain socket to a port of the pod.

        Raises ``UnreachableError`` with what the kubelet said where nobody listens there,
        ``RefusedError`` and ``TimedOutError``. Cancelled, it leaves no socket behind.
        """
        if self._ready and self._ready[0] == port:
            (_, stream), self._ready = self._ready, None
            if not has_ended(stream):
                return stream
            stream.close()
        return await self._dial_through_a_tunnel(port) or await self._dial(port)

    async def why_ended(self, stream: socket.socket) -> str:
        """Say what the way that gave ``stream`` knows of its end."""
        for way in self._ways:
            if words := await way.why_ended(stream):
                return words
        return ""

    def forget(self) -> None:
        """Close the stream that nobody came for."""
        if self._ready:
            self._forget_one(self._ready[1])

    def _forget_one(self, stream: socket.socket) -> None:
        if self._ready and self._ready[1] is stream:
            self._ready = None
            stream.close()

    async def _dial_through_a_tunnel(self, port: int) -> socket.socket | None:
        if len(self._ways) > 1 or not (tunnel := self._spares.take()):
            return None
        try:
            return await self._tunnels.dial_through(tunnel, self._place.port_in_pod(port))
        except ErlconnectError as error:
            # Whether it is the tunnel or the port, a question of its own finds out and tells.
            _log.debug("not through the tunnel that stood: %s", error.message)
            return None

    async def _dial(self, port: int) -> socket.socket:
        inside = self._place.port_in_pod(port)
        try:
            return await self._ways[-1].dial(inside)
        except failures.NoWebSocketError as refusal:
            return await self._dial_by_kubectl(inside, refusal.error)

    async def _dial_by_kubectl(self, port: int, refusal: ErlconnectError) -> socket.socket:
        if program() is None:
            raise refusal
        async with self._falling_back:
            if len(self._ways) > 1:
                return await self._ways[-1].dial(port)
            way = await self._stack.enter_async_context(
                kubectl_forward(self._place, self._kubeconfig)
            )
            try:
                stream = await way.dial(port)
            except failures.ClosedPortError:
                self._fall_back(way, refusal)
                raise
            except ErlconnectError as error:
                raise failures.both(refusal, error) from error
            self._fall_back(way, refusal)
            return stream

    def _fall_back(self, way: Way, refusal: ErlconnectError) -> None:
        _log.warning("%s goes through kubectl port-forward: %s", self._place, refusal.message)
        self._ways.append(way)
