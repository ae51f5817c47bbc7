"""What the API server double asks of running pods: connections to their ports, and processes.

The pods themselves are others' business; here is where they are registered under their names.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOOPBACK: Final = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class RunningPod(Protocol):
    """A pod as the kubelet has it."""

    def socket(self, family: int) -> socket.socket:
        """A new, unconnected TCP socket inside the pod's network."""

    def command(self, container: str, words: Sequence[str], /) -> Sequence[str]:
        """What runs ``words`` inside the container. Raises LookupError for an unknown one."""


class HostPod:
    """A pod in the network of this machine, for tests that need no other."""

    def socket(self, family: int) -> socket.socket:
        return socket.socket(family, socket.SOCK_STREAM)

    def command(self, _container: str, words: Sequence[str], /) -> Sequence[str]:
        return words


class Pods:
    """The running pods by namespace and name."""

    def __init__(self) -> None:
        self._pods: dict[tuple[str, str], RunningPod] = {}

    def run(self, namespace: str, name: str, pod: RunningPod) -> None:
        """From now on ``pod`` is what runs under this name."""
        self._pods[namespace, name] = pod

    def stop(self, namespace: str, name: str) -> None:
        """From now on nothing runs under this name."""
        del self._pods[namespace, name]

    def find(self, namespace: str, name: str) -> RunningPod | None:
        """What runs under this name."""
        return self._pods.get((namespace, name))


async def dial(pod: RunningPod, port: int) -> socket.socket:
    """Connect to the pod's loopback, IPv4 first. Raises OSError that names both attempts."""
    said = []
    for family, address in _LOOPBACK:
        connection = pod.socket(family)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
        except OSError as error:
            connection.close()
            words = os.strerror(error.errno or 0).lower()
            shown = f"[{address}]" if family == socket.AF_INET6 else address
            version = "6" if family == socket.AF_INET6 else "4"
            said.append(f"IPv{version}: dial tcp{version} {shown}:{port}: connect: {words}")
        else:
            return connection
    raise OSError(" ".join(said).replace("IPv6:", "IPv6"))
