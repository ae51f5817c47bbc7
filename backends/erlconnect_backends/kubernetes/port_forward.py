"""The transport ``kubernetes-port-forward``: streams to the ports of one pod.

``PortForwardTransport`` finds the pod and opens a first stream before anything depends on it. Its
dialer takes, in this order, that stream, a tunnel that is open already (``tunnel_pool``), a new
websocket, and ``kubectl port-forward`` (``kubectl``) where websockets are refused.
``WebSocketForward`` opens the websockets, whose bytes ``forward_streams`` carries. The streams
outlive it: each ends when its caller closes it.
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
DIAL_SECONDS: Final = 10.0
# An open tunnel answers as fast as the network does. One that does not is dead, unnoticed so far.
_TUNNEL_SECONDS: Final = 2.0
_EXPLAIN_SECONDS: Final = 0.5
# These are about the credentials and the pod: kubectl would get the same answer.
_FINAL_STATUSES: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)
_log = logging.getLogger(__name__)
# A node closes a connection whose handshake is not done after 7 s (net_setuptime).
_READY_SECONDS: Final = 4.0
_POOL_SECONDS: Final = 1.0


class PortForwardTransport:
    """Opens a dialer for the ports of one pod."""

    def __init__(self, settings: PortForwardSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[PortForwardDialer]:
        """Find the pod and open a first stream, which the first dial to its port returns.

        Raises what credentials raise, and what ``dial`` raises except for a closed port. Streams
        through websockets outlive the context; those through kubectl end with it.
        """
        endpoint = await _pod_endpoint(self._settings, target)
        async with AsyncExitStack() as stack:
            forward = WebSocketForward(endpoint)
            # Where epmd has to be asked for the port, a stream to the node follows at once.
            pool = TunnelPool(forward, 1 if target.dist_port else 2)
            await stack.enter_async_context(pool.filled())
            dialer = PortForwardDialer(forward, pool, str(self._settings.kubeconfig or ""), stack)
            stack.callback(dialer.close_unused)
            await dialer.warm_up(target.dist_port or target.epmd_port)
            yield dialer


async def _pod_endpoint(settings: PortForwardSettings, target: Target) -> PodEndpoint:
    access = await cluster_access(settings)
    try:
        return await pod_endpoint(settings, access, target)
    except ErlconnectError as error:
        raise failures.as_transport(error) from error


class PortDialer(Protocol):
    """Dials ports of one pod, by websockets or by kubectl."""

    async def dial(self, port: int) -> socket.socket:
        """As ``Dialer.dial``."""

    async def why_ended(self, stream: socket.socket) -> str:
        """As ``ExplainsEnd.why_ended``."""


class PortForwardDialer:
    """Dials ports of one pod; as soon as websockets are refused, by kubectl."""

    def __init__(
        self, forward: WebSocketForward, pool: TunnelPool, kubeconfig: str, stack: AsyncExitStack
    ) -> None:
        self._endpoint = forward.endpoint
        self._forward = forward
        self._pool = pool
        self._kubeconfig = kubeconfig
        self._stack = stack
        self._dialers: list[PortDialer] = [forward]
        self._ready: tuple[int, socket.socket] | None = None
        self._fallback_lock = asyncio.Lock()

    async def warm_up(self, port: int) -> None:
        """Dial ``port`` for the next ``dial`` to it; that one also reports a closed port.

        The tunnels of the pool open meanwhile, and are waited for at most 1 s longer.
        """
        try:
            stream = await self._dial(port)
        except failures.ClosedPortError:
            return
        finally:
            await self._pool.ready(_POOL_SECONDS)
        self._ready = port, stream
        asyncio.get_running_loop().call_later(_READY_SECONDS, self._close_unused, stream)

    async def dial(self, port: int) -> socket.socket:
        """Return a plain socket to a port of the pod.

        Raises ``UnreachableError`` with what the kubelet said where nobody listens there,
        ``RefusedError`` and ``TimedOutError``. Cancelled, it leaves no socket behind.
        """
        # The first stream may have ended while nobody used it.
        if self._ready and self._ready[0] == port:
            (_, stream), self._ready = self._ready, None
            if not has_ended(stream):
                return stream
            stream.close()
        # An open tunnel saves the request to the API server, which may take seconds.
        return await self._dial_through_a_tunnel(port) or await self._dial(port)

    async def why_ended(self, stream: socket.socket) -> str:
        """Return why ``stream`` ended, as far as the dialer that opened it knows."""
        for dialer in self._dialers:
            if words := await dialer.why_ended(stream):
                return words
        return ""

    def close_unused(self) -> None:
        """Close the first stream if no ``dial`` has taken it."""
        if self._ready:
            self._close_unused(self._ready[1])

    def _close_unused(self, stream: socket.socket) -> None:
        # The timer may fire after a dial has taken the stream, which is the caller's then.
        if self._ready and self._ready[1] is stream:
            self._ready = None
            stream.close()

    async def _dial_through_a_tunnel(self, port: int) -> socket.socket | None:
        # Once kubectl is in use, websockets are refused, and a tunnel is one.
        if len(self._dialers) > 1 or not (tunnel := self._pool.take()):
            return None
        try:
            return await self._forward.dial_through(tunnel, self._endpoint.port_in_pod(port))
        except ErlconnectError as error:
            # The tunnel may be dead, or the port closed: a new websocket finds out which.
            _log.debug("not through the tunnel that stood: %s", error.message)
            return None

    async def _dial(self, port: int) -> socket.socket:
        inside = self._endpoint.port_in_pod(port)
        try:
            return await self._dialers[-1].dial(inside)
        except failures.NoWebSocketError as refusal:
            return await self._dial_by_kubectl(inside, refusal.error)

    async def _dial_by_kubectl(self, port: int, refusal: ErlconnectError) -> socket.socket:
        # Without kubectl the refusal itself is the error to show.
        if program() is None:
            raise refusal
        async with self._fallback_lock:
            # Another dial has started kubectl while this one waited for the lock.
            if len(self._dialers) > 1:
                return await self._dialers[-1].dial(port)
            dialer = await self._stack.enter_async_context(
                kubectl_forward(self._endpoint, self._kubeconfig)
            )
            try:
                stream = await dialer.dial(port)
            # kubectl reached the pod: the next dial need not try a websocket first.
            except failures.ClosedPortError:
                self._use_kubectl(dialer, refusal)
                raise
            except ErlconnectError as error:
                raise failures.both(refusal, error) from error
            self._use_kubectl(dialer, refusal)
            return stream

    def _use_kubectl(self, dialer: PortDialer, refusal: ErlconnectError) -> None:
        _log.warning("%s goes through kubectl port-forward: %s", self._endpoint, refusal.message)
        self._dialers.append(dialer)


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
        """Return the pod's port for ``port`` of its service, else ``port`` itself.

        Raises ``UnreachableError`` where the service has no such port.
        """
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

    Raises as ``ApiClient``, and ``NoNodeFoundError`` where no pod is usable.
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
    """Yield each TCP port of ``service`` with its number in ``pod``, which may have a name."""
    named = {
        str(port["name"]): int(port["containerPort"])
        for container in pod.containers
        for port in container.get("ports") or ()
        if port.get("name") and port.get("protocol", _TCP) == _TCP
    }
    for port in service["spec"].get("ports") or ():
        inside = port.get("targetPort") or port["port"]
        # ``targetPort`` is a number or the name of a container's port.
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


class WebSocketForward:
    """Dials ports of one pod, by a websocket for each stream."""

    def __init__(self, endpoint: PodEndpoint) -> None:
        self.endpoint = endpoint
        self._pumps: list[ForwardPump] = []

    async def dial(self, port: int) -> socket.socket:
        """Return our end of a stream to a port that is open.

        Raises ``UnreachableError``, ``RefusedError``, ``TimedOutError``, what credentials raise,
        and ``NoWebSocketError`` where kubectl may still connect. Cancelled, it leaves nothing
        behind.
        """
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                return await self._dial(port)
        except TimeoutError as error:
            raise failures.silent(self.endpoint, port, DIAL_SECONDS) from error

    async def why_ended(self, stream: socket.socket) -> str:
        """Return why ``stream`` ended; empty where it was closed in order or has not ended."""
        pump = next((one for one in self._pumps if one.stream is stream), None)
        if pump is None or not await asyncio.to_thread(pump.ended.wait, _EXPLAIN_SECONDS):
            return ""
        return pump.end_reason

    async def tunnel(self) -> ForwardPump:
        """Return an open tunnel to the pod, for ``dial_through``.

        Raises what ``dial`` raises, and ``NoWebSocketError`` where the server knows no tunnels, as
        Kubernetes before 1.30. The caller owns it.
        """
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                opened = await self._opened("", TUNNEL, port=0)
        except RetryableError as error:
            raise error.error from error
        except TimeoutError as error:
            raise failures.silent(self.endpoint, 0, DIAL_SECONDS) from error
        # A server that knows no tunnels may agree without choosing the subprotocol.
        if opened.websocket.subprotocol != TUNNEL:
            opened.wire.close()
            raise failures.NoWebSocketError(
                failures.no_websocket(self.endpoint, 0, "it is no tunnel for SPDY")
            )
        pump = ForwardPump(opened, TunnelCodec, name=f"to {self.endpoint}")
        pump.start()
        return pump

    async def dial_through(self, tunnel: ForwardPump, port: int) -> socket.socket:
        """Return our end of a stream to an open port, as ``dial`` does; this uses ``tunnel`` up.

        Raises ``TimedOutError`` after 2 s already: another tunnel may work.
        """
        try:
            async with asyncio.timeout(_TUNNEL_SECONDS):
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(tunnel.stream, port.to_bytes(PORT_BYTES, "big"))
                return await self._opened_stream(tunnel, port)
        except BaseException as error:
            tunnel.stream.close()
            if isinstance(error, TimeoutError):
                raise failures.silent(self.endpoint, port, _TUNNEL_SECONDS) from error
            raise

    async def _dial(self, port: int) -> socket.socket:
        opened = await retry(lambda: self._opened(f"?ports={port}", CHANNEL_SUBPROTOCOL, port=port))
        make_codec = partial(ChannelCodec, port=port)
        pump = ForwardPump(opened, make_codec, name=f"to port {port} of {self.endpoint}")
        pump.start()
        try:
            return await self._opened_stream(pump, port)
        except BaseException:
            pump.stream.close()
            raise

    async def _opened_stream(self, pump: ForwardPump, port: int) -> socket.socket:
        # A closed socket has the number -1: its pump is needed no more.
        self._pumps = [one for one in self._pumps if one.stream.fileno() >= 0] + [pump]
        if said := await pump.refusal():
            raise failures.closed_port(self.endpoint, port, said)
        return pump.stream

    async def _opened(self, query: str, subprotocol: str, *, port: int) -> HandshakeResult:
        path = f"/api/v1/namespaces/{self.endpoint.namespace}/pods/{self.endpoint.pod}/portforward"
        credentials = await self.endpoint.access.credentials()
        try:
            return await open_websocket(
                self.endpoint.access.endpoint,
                credentials,
                f"{path}{query}",
                subprotocols=[subprotocol],
            )
        except UpgradeRefusedError as error:
            raise await self._error_of(error.refusal, port, credentials) from error
        except WebSocketFailedError as error:
            failure = failures.no_websocket(self.endpoint, port, str(error))
            raise RetryableError(failures.NoWebSocketError(failure)) from error
        except OSError as error:
            raise failures.unreachable(self.endpoint, port, error) from error

    async def _error_of(self, refusal: Refusal, port: int, credentials: Credentials) -> Exception:
        call = failures.asked_for(self.endpoint, port)
        response = ApiResponse(
            status=refusal.status,
            said=message_in(refusal.body),
            retry_after=refusal.retry_after,
        )
        error = await error_for_status(self.endpoint.access, credentials, call, response)
        if isinstance(error, RetryableError):
            return RetryableError(failures.as_transport(error.error), pause=error.pause)
        failure = failures.as_transport(error)
        return failure if refusal.status in _FINAL_STATUSES else failures.NoWebSocketError(failure)
