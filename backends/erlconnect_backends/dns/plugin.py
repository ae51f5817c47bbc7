"""Backend ``dns``: its settings and its registration.

Refuses to import dnspython: whoever only lists the plugins does not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from erlconnect.api import Offer, Settings, hookimpl
from erlconnect.net.dial import host_and_port
from erlconnect_backends.dns.nameservers import DNS_PORT, is_inside, namespace_and_service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Backend


def _name_server(text: str) -> str:
    if is_inside(text):
        namespace_and_service(text)
    else:
        host_and_port(text, default_port=DNS_PORT)
    return text


class DnsSettings(Settings):
    """Settings of ``dns``."""

    server: Annotated[str, AfterValidator(_name_server)] | None = Field(
        default=None,
        description="The name server to ask: HOST[:PORT] with IPv6 in brackets, or"
        " kubernetes://NAMESPACE/SERVICE for one inside a cluster; without it those of"
        " /etc/resolv.conf.",
    )
    record: Literal["auto", "srv", "a", "aaaa"] = Field(
        default="auto",
        description="The kind of record: auto asks for SRV and then for A and AAAA.",
    )
    basename: str = Field(
        default="",
        pattern=r"^[0-9A-Za-z_\-]*$",
        description="The part of the node's name before the '@';"
        " without it the node or its epmd is asked.",
    )
    tcp: bool = Field(default=False, description="Ask over TCP at once.")


def _create(settings: DnsSettings) -> Backend:
    from erlconnect_backends.dns.backend import DnsBackend  # noqa: PLC0415 - imports dnspython

    return DnsBackend(settings)


@hookimpl
def erlconnect_backends() -> Sequence[Offer]:
    """Offer ``dns``."""
    return [
        Offer(
            name="dns",
            summary="Nodes behind SRV, A and AAAA records",
            settings=DnsSettings,
            create=_create,
            needs=("dns",),
            install="pip install 'erlconnect[dns]'",
        )
    ]
