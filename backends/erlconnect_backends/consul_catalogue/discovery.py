"""Backend ``consul``: its settings and its registration.

Refuses to import py-consul: whoever only lists the plugins does not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from erlconnect.api import Offer, hookimpl
from erlconnect_backends.consul_catalogue.access import AccessSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Backend


class ConsulSettings(AccessSettings):
    """Settings of ``consul``."""

    tag: str = Field(default="", description="Only instances with this tag.")
    near: str = Field(
        default="",
        description="The Consul node whose nearest instances come first; _agent is the agent's.",
    )
    filter: str = Field(
        default="",
        description="Only instances that this filter of Consul's selects,"
        " e.g. 'Service.Meta.app == shop'.",
    )
    basename: str = Field(
        default="",
        pattern=r"^[0-9A-Za-z_\-]*$",
        description="The part of the node's name before the '@';"
        " without it the node or its epmd is asked.",
    )
    domain: str = Field(
        default="consul", description="The domain of Consul's DNS, for {domain} in -o node=."
    )
    cookie_key: str = Field(
        default="",
        description="The key that holds the cookie: consul-kv is asked for it, with the same"
        " address, token and datacenter.",
    )


def _create(settings: ConsulSettings) -> Backend:
    from erlconnect_backends.consul_catalogue.backend import (  # noqa: PLC0415 - imports py-consul
        ConsulBackend,
    )

    return ConsulBackend(settings)


@hookimpl
def erlconnect_backends() -> Sequence[Offer]:
    """Offer ``consul``."""
    return [
        Offer(
            name="consul",
            summary="Instances of a service that pass their checks, by Consul's HTTP API",
            settings=ConsulSettings,
            create=_create,
            needs=("consul",),
            install="pip install 'erlconnect[consul]'",
        )
    ]
