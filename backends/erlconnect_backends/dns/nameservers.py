"""Which name servers to ask: that of the setting, or those of ``/etc/resolv.conf``.

A server inside a cluster, ``kubernetes://NAMESPACE/SERVICE``, is reached by TCP through the offer
``kubernetes-port-forward``, which the session opens. No server is asked anything here.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    ConfigurationError,
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    NodeName,
    Ref,
    Target,
    TimedOutError,
    UnreachableError,
)
from erlconnect.net.dial import host_and_port
from erlconnect_backends.dns.errors import ServerFailure
from erlconnect_backends.dns.plugin import namespace_and_service
from erlconnect_backends.do53 import DNS_PORT, ServerAddress, numeric_server, server_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from erlconnect.api import Dialer, SessionApi
    from erlconnect_backends.do53 import OpenStream

SYSTEM_FILE: Final = Path("/etc/resolv.conf")
_OFFER: Final = "kubernetes-port-forward"


async def name_servers(setting: str | None, *, until: float) -> Sequence[ServerAddress]:
    """Return the servers to ask in turn, at least one; ``until`` is a time of the event loop.

    Raises ``ConfigurationError`` where the system has none, and ``LookupFailedError`` where the
    host of ``setting`` is a name without an address. Cancelled, that lookup ends by itself in the
    background.
    """
    if setting is None:
        return system_name_servers()
    host, port = host_and_port(setting, default_port=DNS_PORT)
    try:
        async with asyncio.timeout_at(until):
            # Without a type getaddrinfo returns each address once for each type of socket.
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
    except TimeoutError as error:
        raise LookupTimeoutError(
            f"The name server {host} could not be looked up in time",
            remedy="Give its address instead: -o server=ADDRESS.",
        ) from error
    except (OSError, UnicodeError) as error:
        raise LookupFailedError(
            f"The name server {host} could not be looked up:"
            f" {getattr(error, 'strerror', None) or 'it is no valid name'}",
            remedy="Correct -o server=, or give the server's address.",
        ) from error
    return [server_address(each) for each in found]


def system_name_servers(file: Path = SYSTEM_FILE) -> Sequence[ServerAddress]:
    """Return the name servers of ``resolv.conf(5)`` in their order, without unusable lines.

    Raises ``ConfigurationError`` where there is none.
    """
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read, so there is no name server to ask: {error.strerror}",
            remedy="Name one with -o server=HOST[:PORT].",
        ) from error
    servers = list(dict.fromkeys(_system_lines(text)))
    if not servers:
        raise ConfigurationError(
            f"There is no usable nameserver line in {file}",
            remedy="Name a server with -o server=HOST[:PORT].",
        )
    return servers


def _system_lines(text: str) -> Iterator[ServerAddress]:
    for line in text.splitlines():
        words = line.split()
        if words[:1] != ["nameserver"] or len(words) < 2:  # noqa: PLR2004 - a word and its address
            continue
        with suppress(OSError):
            yield numeric_server(words[1])


@asynccontextmanager
async def cluster_name_server(
    text: str, session: SessionApi
) -> AsyncIterator[tuple[ServerAddress, OpenStream]]:
    """Yield the server, and what opens a TCP connection to it as long as the context lasts.

    Raises ``LookupFailedError`` and ``LookupTimeoutError`` where it cannot be reached, and what
    credentials and missing rights raise.
    """
    namespace, service = namespace_and_service(text)
    host = f"{service}.{namespace}"
    ref = Ref(name=_OFFER, settings={"namespace": namespace, "service": service})
    target = Target(node=NodeName(name="", host=host), address=host, dist_port=DNS_PORT)
    # Without an address: the connection is opened by `open_stream`, which ignores it.
    server = ServerAddress(family=socket.AF_UNSPEC, sockaddr=(), text=text)
    async with AsyncExitStack() as stack:
        try:
            dialer = await stack.enter_async_context(session.dialer(ref, target))
        except ErlconnectError as error:
            raise _as_lookup(text, error) from error

        async def open_stream(_: ServerAddress) -> socket.socket:
            return await _dial(dialer)

        yield server, open_stream


async def _dial(dialer: Dialer) -> socket.socket:
    try:
        return await dialer.dial(DNS_PORT)
    except ErlconnectError as error:
        silent = isinstance(error, TimedOutError)
        words = f"could not be asked: {error.message}"
        raise ServerFailure(words, remedy=error.remedy, silent=silent) from error


def _as_lookup(text: str, error: ErlconnectError) -> ErlconnectError:
    message = f"The name server {text} could not be asked: {error.message}"
    if isinstance(error, TimedOutError):
        return LookupTimeoutError(message, remedy=error.remedy)
    if isinstance(error, UnreachableError):
        return LookupFailedError(message, remedy=error.remedy)
    return error
