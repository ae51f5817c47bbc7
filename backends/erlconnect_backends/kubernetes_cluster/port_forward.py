"""Transport ``kubernetes-port-forward``: its settings and its registration.

Refuses to open anything, and to import ``kubernetes`` and ``websockets``: ``forward_transport``
does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from erlconnect.api import Offer, hookimpl
from erlconnect_backends.kubernetes_cluster.access import AccessSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Transport


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


def _create(settings: PortForwardSettings) -> Transport:
    from erlconnect_backends.kubernetes_cluster.forward_transport import (  # noqa: PLC0415 - imports kubernetes and websockets
        PortForwardTransport,
    )

    return PortForwardTransport(settings)


@hookimpl
def erlconnect_transports() -> Sequence[Offer]:
    """Offer ``kubernetes-port-forward``."""
    return [
        Offer(
            name="kubernetes-port-forward",
            summary="Streams to a pod's ports through the Kubernetes API server",
            settings=PortForwardSettings,
            create=_create,
            needs=("kubernetes", "websockets"),
            install="pip install 'erlconnect[kubernetes]'",
        )
    ]
