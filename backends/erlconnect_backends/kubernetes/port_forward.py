"""Opens ``kubernetes-port-forward``: warm before anything depends on it, and by which of two ways.

Refuses to know how either way is gone: ``websocket_forward`` and ``kubectl_forward`` do.

Which pod a port-forward leads to: the one that was named, one of a service, or by its address.

Knows what a service's ports are in the pod. Refuses to connect.

The usual way to a pod's ports: one websocket for each stream.

Knows when a websocket is worth another try and when a port is open. Refuses to know how bytes are
pumped. Streams outlive it: each ends when its caller closes it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from erlconnect.api import ErlconnectError, UnreachableError
from erlconnect.net.sockets import has_ended
from erlconnect_backends.kubernetes import forward_errors as failures
from erlconnect_backends.kubernetes.access_review import PORT_FORWARD
from erlconnect_backends.kubernetes.api_client import (
    ApiClient,
    ApiResponse,
    RetryableError,
    error_for_status,
    message_in,
    retry,
)
from erlconnect_backends.kubernetes.cluster_access import cluster_access
from erlconnect_backends.kubernetes.forward_streams import (
    CHANNEL_SUBPROTOCOL,
    PORT_BYTES,
    ChannelCodec,
    ForwardPump,
    TunnelCodec,
)
from erlconnect_backends.kubernetes.kubectl import kubectl_forward, program
from erlconnect_backends.kubernetes.pods import pod_at
from erlconnect_backends.kubernetes.requests import SERVICE, one
from erlconnect_backends.kubernetes.spdy import TUNNEL_SUBPROTOCOL as TUNNEL
from erlconnect_backends.kubernetes.target_syntax import TargetSyntax
from erlconnect_backends.kubernetes.tunnel_pool import TunnelPool
from erlconnect_backends.kubernetes.websocket import (
    UpgradeRefusedError,
    WebSocketFailedError,
    open_websocket,
)
from erlconnect_backends.kubernetes.workloads import Workloads, nothing_usable, usable_pods

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterator, Mapping

    from erlconnect.api import Target
    from erlconnect_backends.kubernetes.cluster_access import ClusterAccess
    from erlconnect_backends.kubernetes.connection import Credentials
    from erlconnect_backends.kubernetes.plugin import PortForwardSettings
    from erlconnect_backends.kubernetes.pods import Pod
    from erlconnect_backends.kubernetes.websocket import HandshakeResult, Refusal

_TCP = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodEndpoint:
    """One pod of one cluster; ``ports`` are those of its service, and what they are in the pod."""

    access: ClusterAccess
    pod: str
    service: str = ""
    ports: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return self.access.namespace

    def port_in_pod(self, port: int) -> int:
        """Give the pod's port for ``port``; ``UnreachableError`` where its service has no such."""
        if not self.service:
            return port
        if port not in self.ports:
            known = ", ".join(map(str, self.ports)) or "none"
            raise UnreachableError(
                f"The service {self.namespace}/{self.service} has no TCP port {port}",
                remedy=f"Its TCP ports are: {known}. A port-forward carries no UDP.",
            )
        return self.ports[port]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}"


async def pod_endpoint(
    settings: PortForwardSettings, access: ClusterAccess, target: Target
) -> PodEndpoint:
    """Return the pod that ``settings`` name, or else the one that has the target's address.

    Raises what the API server's answers raise, and ``NoNodeFoundError`` where no pod is usable.
    """
    if settings.pod:
        return PodEndpoint(access=access, pod=settings.pod)
    rest = ApiClient(access, needed=PORT_FORWARD)
    if settings.service:
        return await _of_service(rest, settings.service)
    return await _at_address(rest, target.address)


async def _of_service(rest: ApiClient, name: str) -> PodEndpoint:
    namespace = rest.access.namespace
    item = await rest.get(one(SERVICE, name, namespace=namespace))
    group = await Workloads(rest, namespace).named(TargetSyntax(resource=SERVICE, name=name))
    pods = usable_pods(group, allow_unready=False)
    if not pods:
        raise nothing_usable(group)
    ports = dict(_ports(item, pods[0]))
    return PodEndpoint(access=rest.access, pod=pods[0].name, service=name, ports=ports)


def _ports(service: Mapping[str, Any], pod: Pod) -> Iterator[tuple[int, int]]:
    """Return each TCP port of ``service``, and the one in ``pod``, which may be named there."""
    named = {
        str(port["name"]): int(port["containerPort"])
        for container in pod.containers
        for port in container.get("ports") or ()
        if port.get("name") and port.get("protocol", _TCP) == _TCP
    }
    for port in service["spec"].get("ports") or ():
        inside = port.get("targetPort") or port["port"]
        inside = inside if isinstance(inside, int) else named.get(inside)
        if port.get("protocol", _TCP) == _TCP and inside:
            yield int(port["port"]), inside


async def _at_address(rest: ApiClient, address: str) -> PodEndpoint:
    pod = await pod_at(rest, address)
    if pod is None:
        raise UnreachableError(
            f"No pod in the namespace {rest.access.namespace} (context {rest.access.context}) runs"
            f" at the address {address or '(none)'}",
            remedy="Name its namespace with -o transport.namespace=, or the pod itself with"
            " -o transport.pod=.",
        )
    return PodEndpoint(access=rest.access, pod=pod.name)


DIAL_SECONDS: Final = 10.0
# A tunnel that stands is as quick as the network, or is gone and nobody has noticed yet.
_TUNNEL_SECONDS: Final = 2.0
_EXPLAIN_SECONDS: Final = 0.5
# These are about the credentials and the pod: kubectl would hear the same.
_FINAL: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)


class WebSocketForward:
    """Dials ports of one pod."""

    def __init__(self, place: PodEndpoint) -> None:
        self.place = place
        self._pumps: list[ForwardPump] = []

    async def dial(self, port: int) -> socket.socket:
        """Return our end of a stream to a port that is open.

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
        """Return a way to the pod that stands and waits for ``dial_through``.

        Raises what ``dial`` raises, and ``NoWebSocketError`` where the server knows no tunnels, as
        Kubernetes before 1.30. The caller owns it.
        """
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                opened = await self._opened("", TUNNEL, port=0)
        except RetryableError as error:
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
        """Return our end of a stream to a port that is open, as ``dial`` does; it takes the tunnel.

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
        opened = await retry(lambda: self._opened(f"?ports={port}", CHANNEL_SUBPROTOCOL, port=port))
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

    async def _opened(self, query: str, subprotocol: str, *, port: int) -> HandshakeResult:
        path = f"/api/v1/namespaces/{self.place.namespace}/pods/{self.place.pod}/portforward"
        credentials = await self.place.access.credentials()
        try:
            return await open_websocket(
                self.place.access.endpoint,
                credentials,
                f"{path}{query}",
                subprotocols=[subprotocol],
            )
        except UpgradeRefusedError as error:
            raise await self._judged(error.refusal, port, credentials) from error
        except WebSocketFailedError as error:
            failure = failures.no_websocket(self.place, port, str(error))
            raise RetryableError(failures.NoWebSocketError(failure)) from error
        except OSError as error:
            raise failures.unreachable(self.place, port, error) from error

    async def _judged(self, refusal: Refusal, port: int, credentials: Credentials) -> Exception:
        asked = failures.asked_for(self.place, port)
        answered = ApiResponse(
            status=refusal.status,
            said=message_in(refusal.body),
            retry_after=refusal.retry_after,
        )
        verdict = await error_for_status(self.place.access, credentials, asked, answered)
        if isinstance(verdict, RetryableError):
            return RetryableError(failures.as_transport(verdict.error), pause=verdict.pause)
        failure = failures.as_transport(verdict)
        return failure if refusal.status in _FINAL else failures.NoWebSocketError(failure)


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
            spares = TunnelPool(way, 1 if target.dist_port else 2)
            await stack.enter_async_context(spares.kept())
            dialer = PortForwardDialer(way, spares, str(self._settings.kubeconfig or ""), stack)
            stack.callback(dialer.forget)
            await dialer.warm_up(target.dist_port or target.epmd_port)
            yield dialer


async def _place(settings: PortForwardSettings, target: Target) -> PodEndpoint:
    access = await cluster_access(settings)
    try:
        return await pod_endpoint(settings, access, target)
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
        self, way: WebSocketForward, spares: TunnelPool, kubeconfig: str, stack: AsyncExitStack
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
        """Return a plain socket to a port of the pod.

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
