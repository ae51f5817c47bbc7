"""Backend ``fixed``: one node whose name and address the user gives; nothing is looked up.

Ports are no settings of it: ``dist-port`` and ``epmd-port`` are the session's, for every backend.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, Field

from erlconnect.api import NodeName, Offer, Settings, Target, UsageError, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Query, SessionApi

# An IPv6 address has more colons than one, or brackets around it.
_WITH_PORT: Final = re.compile(r"(\[[^\]]*\]|[^:]*):[0-9]*")


def _host_alone(address: str) -> str:
    if "/" in address or "@" in address or not address.isprintable() or " " in address:
        raise ValueError("it has to be a host name or an IP address and nothing else")
    if _WITH_PORT.fullmatch(address):
        raise ValueError("a port does not belong here; -o dist-port=PORT gives the node's")
    return address


class FixedSettings(Settings):
    """Settings of ``fixed``."""

    address: Annotated[str, AfterValidator(_host_alone)] | None = Field(
        default=None,
        min_length=1,
        description="Where the node is, a host name or an address;"
        " without it the host part of TARGET.",
    )


class FixedBackend:
    """Returns the node that TARGET names, always exactly one."""

    def __init__(self, settings: FixedSettings) -> None:
        self._address = settings.address

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        """Return the one target; ``UsageError`` where TARGET is no ``name@host``."""
        del session  # there is nothing to ask and nothing to warn of
        try:
            node = NodeName.parse(query.service)
        except ValueError as error:
            raise UsageError(
                f"TARGET has to be the node's name with the backend 'fixed': {error}",
                remedy="Write name@host, for example app@10.3.2.1; -o address=HOST says where it"
                " is if the host part does not.",
            ) from None
        return [Target(node=node, address=self._address or node.host)]


@hookimpl
def erlconnect_backends() -> Sequence[Offer]:
    """Offer ``fixed``."""
    return [
        Offer(
            name="fixed",
            summary="A node whose name and address you know",
            settings=FixedSettings,
            create=FixedBackend,
        )
    ]
