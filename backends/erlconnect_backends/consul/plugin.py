"""Backend ``consul`` and transport ``consul-connect``: their settings and their registration.

py-consul is not imported here: listing the plugins has to be quick, and works without it. The
cookie source ``consul-kv`` is registered in ``cookies``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from erlconnect.api import Offer, hookimpl
from erlconnect_backends.consul.access import AccessSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Backend, Transport


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


def _create_backend(settings: ConsulSettings) -> Backend:
    from erlconnect_backends.consul.backend import (  # noqa: PLC0415 - imports py-consul
        ConsulBackend,
    )

    return ConsulBackend(settings)


class ConsulPlugin:
    """The entry point ``consul``."""

    @staticmethod
    @hookimpl
    def erlconnect_backends() -> Sequence[Offer]:
        """Offer ``consul``."""
        return [
            Offer(
                name="consul",
                summary="Instances of a service that pass their checks, by Consul's HTTP API",
                settings=ConsulSettings,
                create=_create_backend,
                needs=("consul",),
                install="pip install 'erlconnect[consul]'",
            )
        ]


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
        # Both other modes use no upstream that listens already: it would be ignored silently.
        if self.upstream and self.mode in ("native", "proxy"):
            raise ValueError(f"mode={self.mode} takes no upstream")
        return self


def _create_transport(settings: ConnectSettings) -> Transport:
    from erlconnect_backends.consul.connect import (  # noqa: PLC0415 - imports py-consul
        ConnectTransport,
    )

    return ConnectTransport(settings)


class ConnectPlugin:
    """The entry point ``consul-connect``."""

    @staticmethod
    @hookimpl
    def erlconnect_transports() -> Sequence[Offer]:
        """Offer ``consul-connect``."""
        return [
            Offer(
                name="consul-connect",
                summary="Mutual TLS through Consul's service mesh, with or without a local proxy",
                settings=ConnectSettings,
                create=_create_transport,
                needs=("consul",),
                install="pip install 'erlconnect[consul]'",
            )
        ]
