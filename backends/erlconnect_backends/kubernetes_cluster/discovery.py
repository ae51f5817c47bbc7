"""Backend ``kubernetes``: its settings and its registration; imports no library before its use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from erlconnect.api import Offer, hookimpl
from erlconnect_backends.kubernetes_cluster.access import AccessSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Backend


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


def _create(settings: KubernetesSettings) -> Backend:
    from erlconnect_backends.kubernetes_cluster.backend import (  # noqa: PLC0415 - imports kubernetes
        KubernetesBackend,
    )

    return KubernetesBackend(settings)


@hookimpl
def erlconnect_backends() -> Sequence[Offer]:
    """Offer ``kubernetes``."""
    return [
        Offer(
            name="kubernetes",
            summary="The pods of a Deployment, StatefulSet, Service and their kin",
            settings=KubernetesSettings,
            create=_create,
            needs=("kubernetes",),
            install="pip install 'erlconnect[kubernetes]'",
        )
    ]
