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
        """The first of ``containers`` is the main one; all see ``environment``, ``expanded``."""
        self.name = name
        self._containers = containers
        self.sandboxes: dict[str, Sandbox] = {}
        self._running = ExitStack()
        self.network = Namespace()
        self._environment = {
            key: self.expanded(value) for key, value in (environment or {}).items()
        }
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

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

    def expanded(self, text: str) -> str:
        """``text`` with the pod's address for ``$(POD_IP)``, and the same as an Erlang tuple."""
        return text.replace("$(POD_IP)", self.address).replace(
            "$(POD_IP_TUPLE)", f"{{{self.address.replace('.', ',')}}}"
        )

    def kill(self) -> None:
        """End all its processes at once, as a crash of its machine does."""
        for sandbox in self.sandboxes.values():
            sandbox.kill()

    def restart(self) -> None:
        """Begin anew under the same name and address, as containers that crashed do."""
        self._end()
        self._begin()

    def close(self) -> None:
        """End it, and give back its network and its files."""
        self._end()
        self.network.remove()

    def _begin(self) -> None:
        """Make the containers; who runs something in them goes on from here."""
        self.sandboxes = {
            each: self._running.enter_context(Sandbox(self.network.name, self._environment))
            for each in self._containers
        }
        self.main = self.sandboxes[self._containers[0]]

    def _end(self) -> None:
        self.kill()
        self._running.close()

    def socket(self, family: int) -> socket.socket:
        return socket_inside(self.network.name, family)

    def command(self, container: str, words: Sequence[str], /) -> Sequence[str]:
        return self.sandboxes[container].command(words)
