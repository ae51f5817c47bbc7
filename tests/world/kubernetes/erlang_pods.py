"""Pods that are real Erlang nodes, each with an epmd of its own on 4369.

What runs. What the API says of it is in ``deployments``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.kubernetes.network_pods import NetworkPod

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class ErlangPod(NetworkPod):
    """A pod whose main container runs ``node``, and ``epmd`` beside it.

    ``node`` is called ``NODE@ADDRESS of the pod`` unless the name that is given has a host. In the
    name, in ``environment`` and in ``flags`` the words of ``expanded`` stand for the address.
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
        epmd_port: int = 4369,
        release: str = "25",
        files: Mapping[str, str] | None = None,
    ) -> None:
        """``files`` lie in the node's folder before it starts; without ``cookie`` it has none."""
        self._node = node if "@" in node else f"{node}@$(POD_IP)"
        self._cookie = cookie
        self._flags = flags
        self._epmd_port = epmd_port
        self._release = release
        self._files = files or {}
        super().__init__(name, containers=containers, environment=environment)

    def _begin(self) -> None:
        super()._begin()
        _write(self.folder, self._files)
        self.epmd = self._running.enter_context(
            RealEpmd(self._epmd_port, address=None, prefix=self.inside)
        )
        self.node = self._running.enter_context(
            ErlangNode.start(
                self.expanded(self._node),
                epmd_port=self._epmd_port,
                cookie=self._cookie,
                release=self._release,
                flags=[self.expanded(flag) for flag in self._flags],
                environment=self.main.environment,
                inside=self.inside,
            )
        )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o400)
