"""What the API server double asks of running pods: sockets in their network, and processes.

The pods themselves are others' business; here is where they are registered under their names.
"""

from __future__ import annotations

import shutil
import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class RunningPod(Protocol):
    """A pod as the kubelet has it."""

    def socket(self, family: int) -> socket.socket:
        """A new, unconnected TCP socket inside the pod's network."""

    def command(self, container: str, words: Sequence[str], /) -> Sequence[str]:
        """What runs ``words`` inside the container.

        Raises FileNotFoundError with the program's name if the container has no such program.
        """


class HostPod:
    """A pod in the network of this machine, for tests that need no other."""

    def socket(self, family: int) -> socket.socket:
        return socket.socket(family, socket.SOCK_STREAM)

    def command(self, _container: str, words: Sequence[str], /) -> Sequence[str]:
        if shutil.which(words[0]) is None:
            raise FileNotFoundError(words[0])
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
