"""Pods that are real Erlang nodes: an own network, an own epmd on 4369, processes of their own.

What runs, and how the API server reaches it. What the API says of it is in ``deployments``.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.kubernetes.network_sockets import socket_inside
from world.kubernetes.sandboxes import Sandbox
from world.namespaces import Namespace

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_EPMD_PORT = 4369


class ErlangPod:
    """A pod as it runs; a context manager that ends it.

    ``name`` is the pod's. The node is ``NODE@ADDRESS of the pod`` unless ``node`` has a host.
    The first of ``containers`` is that of the node; the others have nothing in them.
    """

    def __init__(
        self,
        name: str,
        *,
        node: str,
        cookie: str,
        containers: Sequence[str] = ("app",),
        environment: Mapping[str, str] | None = None,
        flags: Sequence[str] = (),
        epmd_port: int = _EPMD_PORT,
        release: str = "25",
        files: Mapping[str, str] | None = None,
    ) -> None:
        """``files`` lie in the node's folder before it starts; without ``cookie`` it has none."""
        self.name = name
        with ExitStack() as stack:
            self.network = stack.enter_context(Namespace())
            self.sandboxes = {
                each: stack.enter_context(Sandbox(self.network.name, environment or {}))
                for each in containers
            }
            own = self.sandboxes[containers[0]]
            _write(own.folder, files or {})
            self.epmd = stack.enter_context(RealEpmd(epmd_port, address=None, prefix=own.inside))
            self.node = stack.enter_context(
                ErlangNode.start(
                    node if "@" in node else f"{node}@{self.address}",
                    epmd_port=epmd_port,
                    cookie=cookie,
                    release=release,
                    flags=flags,
                    environment=own.environment,
                    inside=own.inside,
                )
            )
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
        """The folder that is home and working directory in the node's container."""
        return next(iter(self.sandboxes.values())).folder

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


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o400)
