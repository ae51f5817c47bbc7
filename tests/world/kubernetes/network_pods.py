"""Pods with a network and processes of their own; what runs in them is what a test starts there."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from world.kubernetes.network_sockets import socket_inside
from world.kubernetes.sandboxes import Sandbox
from world.namespaces import Namespace

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType


class NetworkPod:
    """A pod as it runs; a context manager that ends it.

    ``network`` is its own, with a loopback of its own; ``sandboxes`` are its containers, by name.
    Commands run in one behind the words of ``inside``.
    """

    def __init__(
        self,
        name: str,
        *,
        containers: Sequence[str] = ("app",),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """The first of ``containers`` is the main one; all see ``environment``."""
        self.name = name
        with ExitStack() as stack:
            self.network = stack.enter_context(Namespace())
            self.sandboxes = {
                each: stack.enter_context(Sandbox(self.network.name, environment or {}))
                for each in containers
            }
            self.main = self.sandboxes[containers[0]]
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def address(self) -> str:
        """The pod's IP address."""
        return self.network.address

    @property
    def folder(self) -> Path:
        """The folder that is home and working directory in the main container."""
        return self.main.folder

    @property
    def inside(self) -> list[str]:
        """The words before a command that shall run in the main container."""
        return self.main.inside

    def kill(self) -> None:
        """End all its processes at once, as a crash of its machine does."""
        for sandbox in self.sandboxes.values():
            sandbox.kill()

    def close(self) -> None:
        """End it, and give back its network and its files."""
        self.kill()
        self._stack.close()

    def socket(self, family: int) -> socket.socket:
        return socket_inside(self.network.name, family)

    def command(self, container: str, words: Sequence[str], /) -> Sequence[str]:
        return self.sandboxes[container].command(words)
