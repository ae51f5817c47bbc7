"""Both ways to a port of the same pod, each as a connected socket and what it costs."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.forward.cluster import NAMESPACE, POD
from speed.usage import cpu_seconds
from world.kubernetes.kubectl import Kubectl

from erlconnect.api import NodeName, Target
from erlconnect_backends.kubernetes.plugin import PortForwardSettings
from erlconnect_backends.kubernetes.port_forward import PortForwardTransport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS, KUBECTL = "erlconnect", "kubectl"
_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """``processes`` are those whose CPU time it costs, this one among them."""

    stream: socket.socket
    processes: tuple[int, ...]

    def cpu(self) -> float:
        return sum(map(cpu_seconds, self.processes))


@contextmanager
def by_erlconnect(kubeconfig: Path, port: int) -> Iterator[Way]:
    with asyncio.run(_dialled(kubeconfig, port)) as stream:
        stream.settimeout(_SECONDS)
        yield Way(stream=stream, processes=(os.getpid(),))


@contextmanager
def by_kubectl(kubeconfig: Path, port: int, suite: str) -> Iterator[Way]:
    with (
        Kubectl(suite, kubeconfig) as kubectl,
        kubectl.forwarding("-n", NAMESPACE, f"pod/{POD}", f":{port}") as (process, local_port),
        socket.create_connection(("127.0.0.1", local_port), _SECONDS) as stream,
    ):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Way(stream=stream, processes=(os.getpid(), process.pid))


async def _dialled(kubeconfig: Path, port: int) -> socket.socket:
    given = {"kubeconfig": str(kubeconfig), "namespace": NAMESPACE, "pod": POD}
    transport = PortForwardTransport(PortForwardSettings.model_validate(given))
    target = Target(node=NodeName.parse("shop@10.0.0.1"), address="10.0.0.1", dist_port=port)
    async with transport.open(target) as dialer:
        return await dialer.dial(port)
