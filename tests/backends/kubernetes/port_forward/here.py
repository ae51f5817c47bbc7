"""One pod in the network of this machine, behind the double of the API server, and ways to it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from world.kubernetes import manifests
from world.kubernetes.pods import HostPod

from erlconnect.api import NodeName, Target
from erlconnect_backends.kubernetes.plugin import PortForwardSettings
from erlconnect_backends.kubernetes.port_forward import PortForwardTransport

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator
    from pathlib import Path

    from world.kubernetes.api import KubernetesApi

    from erlconnect_backends.kubernetes.port_forward import PortForwardDialer

NAMESPACE, POD = "shop", "shop-0"
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The double, and the kubeconfig that leads to it."""

    api: KubernetesApi
    kubeconfig: Path

    def run_pod(self) -> None:
        """From now on there is the pod."""
        containers = [manifests.container("shop")]
        self.api.objects.put(manifests.pod(POD, namespace=NAMESPACE, containers=containers))
        self.api.pods.run(NAMESPACE, POD, HostPod())

    def remove_pod(self) -> None:
        """From now on there is none."""
        self.api.objects.remove("pods", NAMESPACE, POD)
        self.api.pods.stop(NAMESPACE, POD)

    def transport(self, **settings: str) -> PortForwardTransport:
        """The transport as the backend's reference and the command line would set it."""
        given = {"kubeconfig": str(self.kubeconfig), "namespace": NAMESPACE, "pod": POD, **settings}
        return PortForwardTransport(PortForwardSettings.model_validate(given))

    @asynccontextmanager
    async def open(self, port: int, **settings: str) -> AsyncIterator[PortForwardDialer]:
        """The dialer, warm for ``port``."""
        async with self.transport(**settings).open(target(port)) as dialer:
            yield dialer


def target(port: int | None = None) -> Target:
    """A node in the pod."""
    return Target(node=NodeName.parse("shop@10.0.0.1"), address="10.0.0.1", dist_port=port)


async def echoed(stream: socket.socket, content: bytes) -> bytes:
    """What comes back for ``content``, as much as was sent."""
    loop = asyncio.get_running_loop()
    back = bytearray()
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.sock_sendall(stream, content))
        while len(back) < len(content):
            piece = await asyncio.wait_for(loop.sock_recv(stream, MEGABYTE), 20)
            assert piece, f"it ended after {len(back)} bytes"
            back += piece
    return bytes(back)


async def next_byte(stream: socket.socket) -> bytes:
    """One byte, or none at an end."""
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(stream, 1), 20)
