"""Backend ``dns``: its settings, how the setting ``server`` is written, and its registration.

dnspython is not imported here: listing the plugins has to be quick, and works without it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, Field

from erlconnect.api import Offer, Settings, hookimpl
from erlconnect.net.dial import host_and_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Backend

_DNS_PORT: Final = 53  # ``do53`` has it, too, but imports dnspython
_SCHEME: Final = "kubernetes://"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_IN_CLUSTER: Final = re.compile(rf"{_SCHEME}({_LABEL})/({_LABEL})")


def _name_server(text: str) -> str:
    if is_in_cluster(text):
        namespace_and_service(text)
    else:
        host_and_port(text, default_port=_DNS_PORT)
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


def is_in_cluster(text: str) -> bool:
    """Return whether the setting ``server`` names a service inside a cluster."""
    return text.startswith(_SCHEME)


def namespace_and_service(text: str) -> tuple[str, str]:
    """Split ``kubernetes://NAMESPACE/SERVICE``; ``ValueError`` says what is wrong."""
    found = _IN_CLUSTER.fullmatch(text)
    if not found:
        raise ValueError(f"it has to be like {_SCHEME}kube-system/kube-dns: namespace and service")
    return found[1], found[2]
