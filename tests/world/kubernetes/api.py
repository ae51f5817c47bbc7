"""A small Kubernetes API server for tests: real TLS, real protocols, on 127.0.0.1.

No real one can be installed from the package registries. This one runs in a thread of the test, so
that a test changes objects and injects faults while clients, which are processes, talk to it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Self

from world.kubernetes.certificates import Authority
from world.kubernetes.cluster import Cluster
from world.kubernetes.kubeconfig import Kubeconfig, by_token
from world.kubernetes.listening import Listener
from world.kubernetes.rest import RestHandler
from world.kubernetes.users import ADMINISTRATORS
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType


class KubernetesApi:
    """Serves while its context lasts.

    ``token`` is that of a user who may do everything. ``objects``, ``pods``, ``users``, ``faults``
    and ``requests`` are the cluster's; see there.
    """

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.objects = self.cluster.objects
        self.pods = self.cluster.pods
        self.users = self.cluster.users
        self.faults = self.cluster.faults
        self.requests = self.cluster.requests
        self.token = self.users.add("admin", ADMINISTRATORS)
        self.authority = Authority()
        self.port = free_port()
        context = self.authority.server_context()
        self._listener = Listener(self.port, context, partial(RestHandler, self.cluster))

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.faults.clear()
        self._listener.close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig(
        self,
        path: Path,
        *,
        user: Mapping[str, Any] | None = None,
        context: str = "test",
        namespace: str = "",
    ) -> Path:
        """Write a kubeconfig with one context; without ``user`` it is the one of ``token``."""
        return (
            Kubeconfig()
            .context(
                context,
                server=self.url,
                authority=self.authority.certificate,
                user=user or by_token(self.token),
                namespace=namespace,
            )
            .write(path)
        )

    def go_away(self) -> None:
        """Stop listening and drop every connection, streams too, as a server that crashes."""
        self._listener.shut()

    def come_back(self) -> None:
        """Listen again, on the same port."""
        self._listener.open()

    def cut_connections(self) -> None:
        """Reset every connection, streams too, and go on listening."""
        self._listener.cut()
