"""Backend ``railway``: its settings and its registration; imports no library before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from erlconnect.api import Offer, Settings, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Backend

ENDPOINT: Final = "https://backboard.railway.com/graphql/v2"


class RailwaySettings(Settings):
    """Settings of ``railway``."""

    project: str = Field(
        default="",
        description="The project's id; without it RAILWAY_PROJECT_ID, the project that `railway"
        " link` named for this folder, or that of a project's token.",
    )
    environment: str = Field(
        default="",
        description="The environment's name or id; without it RAILWAY_ENVIRONMENT_ID, the linked"
        " one, or that of a project's token.",
    )
    basename: str = Field(
        default="",
        pattern=r"^[0-9A-Za-z_\-]*$",
        description="The part of the node's name before the '@'; without it RELEASE_NODE of the"
        " service's variables, or the node itself tells it.",
    )
    domain: str = Field(
        default="railway.internal",
        min_length=1,
        description="The domain of the private network.",
    )
    server: str | None = Field(
        default=None,
        description="The name server to ask, ADDRESS[:PORT] with IPv6 in brackets; without it those"
        " of /etc/resolv.conf.",
    )
    lookup: Literal["auto", "never"] = Field(
        default="auto",
        description="never: leave the name to whatever --via runs inside the private network.",
    )
    endpoint: str = Field(
        default=ENDPOINT, min_length=1, description="The address of Railway's GraphQL API."
    )


def _create(settings: RailwaySettings) -> Backend:
    from erlconnect_backends.railway_network.backend import (  # noqa: PLC0415 - imports dnspython
        RailwayBackend,
    )

    return RailwayBackend(settings)


@hookimpl
def erlconnect_backends() -> Sequence[Offer]:
    """Offer ``railway``."""
    return [
        Offer(
            name="railway",
            summary="The replicas of a service in Railway's private network",
            settings=RailwaySettings,
            create=_create,
            needs=("dns",),
            install="pip install 'erlconnect[railway]'",
        )
    ]
