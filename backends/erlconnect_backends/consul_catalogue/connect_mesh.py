"""Transport ``consul-connect``: its settings and its registration.

Refuses to import py-consul and to open anything: ``connect_transport`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from erlconnect.api import Offer, hookimpl
from erlconnect_backends.consul_catalogue.access import AccessSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Transport


class ConnectSettings(AccessSettings):
    """Settings of ``consul-connect``."""

    mode: Literal["auto", "native", "proxy", "upstream"] = Field(
        default="auto",
        description="The way into the mesh: native (TLS straight to the service's sidecar), proxy"
        " (an own `consul connect proxy`), upstream (one that listens already); auto takes an"
        " upstream where there is one, else native, else proxy.",
    )
    source: str = Field(
        default="erlconnect",
        pattern=r"^[^\s:/?#]+$",
        description="The service as which to connect; intentions allow or deny it.",
    )
    destination: str = Field(
        default="",
        pattern=r"^[^\s:/?#]*$",
        description="The service to connect to; the backend consul knows it.",
    )
    upstream: str = Field(
        default="",
        description="The upstream that listens already: HOST:PORT, or the name of the service on"
        " this machine whose sidecar has it.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.upstream and self.mode in ("native", "proxy"):
            raise ValueError(f"mode={self.mode} takes no upstream")
        return self


def _create(settings: ConnectSettings) -> Transport:
    from erlconnect_backends.consul_catalogue.connect_transport import (  # noqa: PLC0415 - imports py-consul
        ConnectTransport,
    )

    return ConnectTransport(settings)


@hookimpl
def erlconnect_transports() -> Sequence[Offer]:
    """Offer ``consul-connect``."""
    return [
        Offer(
            name="consul-connect",
            summary="Mutual TLS through Consul's service mesh, with or without a local proxy",
            settings=ConnectSettings,
            create=_create,
            needs=("consul",),
            install="pip install 'erlconnect[consul]'",
        )
    ]
