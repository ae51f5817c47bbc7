"""Settings and registration of the backend ``kubernetes`` and of its transport.

``AccessSettings`` are those of everything that asks a cluster, the cookie sources (``cookies``)
too. This module is imported at every start, so it imports ``kubernetes`` and ``websockets`` only
when a backend or transport is made.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it
from typing import TYPE_CHECKING

from pydantic import Field

from erlconnect.api import Offer, Settings, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Backend, Transport


class AccessSettings(Settings):
    """The cluster and namespace that are meant."""

    context: str = Field(
        default="", description="The context of the kubeconfig; its current one if empty."
    )
    namespace: str = Field(
        default="", description="The namespace; the context's own if empty, else default."
    )
    kubeconfig: Path | None = Field(
        default=None,
        description="The kubeconfig file; without it KUBECONFIG, ~/.kube/config, or the service"
        " account of the pod that this runs in.",
    )

    def access_settings(self) -> dict[str, object]:
        """Return those of the above that were set, for a ``Ref`` to an offer that has them too."""
        return self.model_dump(include=set(AccessSettings.model_fields), exclude_defaults=True)


class KubernetesSettings(AccessSettings):
    """Settings of ``kubernetes``."""

    selector: str = Field(
        default="",
        description="A label selector, e.g. app=shop: it says which pods, TARGET is only a name.",
    )
    pod: str = Field(
        default="",
        description="One pod by its name, even if it is not ready or about to end.",
    )
    container: str = Field(
        default="",
        description="The container with the node; without it the one whose ports, variables or"
        " command are Erlang's.",
    )
    allow_unready: bool = Field(
        default=False, description="Whether pods count that run and are not ready."
    )


class KubernetesPlugin:
    """The entry point ``kubernetes``."""

    @staticmethod
    @hookimpl
    def erlconnect_backends() -> Sequence[Offer]:
        """Offer ``kubernetes``."""
        return [
            Offer(
                name="kubernetes",
                summary="The pods of a Deployment, StatefulSet, Service and their kin",
                settings=KubernetesSettings,
                create=_create_backend,
                needs=("kubernetes",),
                install="pip install 'erlconnect[kubernetes]'",
            )
        ]


def _create_backend(settings: KubernetesSettings) -> Backend:
    from erlconnect_backends.kubernetes.backend import (  # noqa: PLC0415 - imports kubernetes
        KubernetesBackend,
    )

    return KubernetesBackend(settings)


class PortForwardSettings(AccessSettings):
    """Settings of ``kubernetes-port-forward``."""

    pod: str = Field(
        default="",
        pattern=r"^[a-z0-9.-]*$",
        description="The pod to connect to; without it the one that has the target's address.",
    )
    service: str = Field(
        default="",
        pattern=r"^[a-z0-9.-]*$",
        description="The service to one of whose ready pods to connect, by the service's ports.",
    )


class PortForwardPlugin:
    """The entry point ``kubernetes-port-forward``."""

    @staticmethod
    @hookimpl
    def erlconnect_transports() -> Sequence[Offer]:
        """Offer ``kubernetes-port-forward``."""
        return [
            Offer(
                name="kubernetes-port-forward",
                summary="Streams to a pod's ports through the Kubernetes API server",
                settings=PortForwardSettings,
                create=_create_transport,
                needs=("kubernetes", "websockets"),
                install="pip install 'erlconnect[kubernetes]'",
            )
        ]


def _create_transport(settings: PortForwardSettings) -> Transport:
    from erlconnect_backends.kubernetes.port_forward import (  # noqa: PLC0415 - imports kubernetes and websockets
        PortForwardTransport,
    )

    return PortForwardTransport(settings)
