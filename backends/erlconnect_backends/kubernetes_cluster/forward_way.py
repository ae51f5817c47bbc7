"""What both ways to a pod's ports have in common: the pod, and what a way can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket

    from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlace:
    """One pod of one cluster."""

    access: ClusterAccess
    pod: str

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return self.access.namespace

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}"


class Way(Protocol):
    """A way to the ports of one pod."""

    async def dial(self, port: int) -> socket.socket:
        """As ``Dialer.dial``."""

    async def why_ended(self, stream: socket.socket) -> str:
        """As ``ExplainsEnd.why_ended``."""
