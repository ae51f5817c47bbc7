"""A name server inside a cluster, which only a port-forward leads to: ``kubernetes://NS/SERVICE``.

Knows how it is written and which offer leads there. Refuses to know how that works, and to ask
anything.
"""

from __future__ import annotations

import re
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    NodeName,
    Ref,
    Target,
    TimedOutError,
    UnreachableError,
)
from erlconnect_backends.dns_records.failures import Complaint
from erlconnect_backends.dns_records.servers import DNS_PORT, NameServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from erlconnect.api import Dialer, SessionApi
    from erlconnect_backends.dns_records.exchange import OpenStream

SCHEME: Final = "kubernetes://"
_OFFER: Final = "kubernetes-port-forward"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_PLACE: Final = re.compile(rf"{SCHEME}({_LABEL})/({_LABEL})")


def is_inside(text: str) -> bool:
    """Say whether the setting ``server`` means this."""
    return text.startswith(SCHEME)


def namespace_and_service(text: str) -> tuple[str, str]:
    """Split it; ``ValueError`` says what is wrong."""
    found = _PLACE.fullmatch(text)
    if not found:
        raise ValueError(f"it has to be like {SCHEME}kube-system/kube-dns: namespace and service")
    return found[1], found[2]


@asynccontextmanager
async def name_server_inside(
    text: str, session: SessionApi
) -> AsyncIterator[tuple[NameServer, OpenStream]]:
    """Give the server and the way to it, by TCP, as long as the context lasts.

    Raises ``LookupFailedError`` and ``LookupTimeoutError`` where none leads there, and what
    credentials and missing rights raise.
    """
    namespace, service = namespace_and_service(text)
    host = f"{service}.{namespace}"
    ref = Ref(name=_OFFER, settings={"namespace": namespace, "service": service})
    target = Target(node=NodeName(name="", host=host), address=host, dist_port=DNS_PORT)
    server = NameServer(family=socket.AF_UNSPEC, sockaddr=(), text=text)
    async with AsyncExitStack() as stack:
        try:
            dialer = await stack.enter_async_context(session.dialer(ref, target))
        except ErlconnectError as error:
            raise _as_lookup(text, error) from error

        async def open_stream(_: NameServer) -> socket.socket:
            return await _dialled(dialer)

        yield server, open_stream


async def _dialled(dialer: Dialer) -> socket.socket:
    try:
        return await dialer.dial(DNS_PORT)
    except ErlconnectError as error:
        silent = isinstance(error, TimedOutError)
        words = f"could not be asked: {error.message}"
        raise Complaint(words, remedy=error.remedy, silent=silent) from error


def _as_lookup(text: str, error: ErlconnectError) -> ErlconnectError:
    message = f"The name server {text} could not be asked: {error.message}"
    if isinstance(error, TimedOutError):
        return LookupTimeoutError(message, remedy=error.remedy)
    if isinstance(error, UnreachableError):
        return LookupFailedError(message, remedy=error.remedy)
    return error
