"""Which name servers to ask: the one of the setting, or those of ``/etc/resolv.conf``.

Refuses to ask them anything.

A name server inside a cluster, which only a port-forward leads to: ``kubernetes://NS/SERVICE``.

Knows how it is written and which offer leads there. Refuses to know how that works, and to ask
anything.
"""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from erlconnect.api import Dialer, SessionApi
    from erlconnect_backends.dns.resolver import OpenStream

DNS_PORT: Final = 53
SYSTEM_FILE: Final = Path("/etc/resolv.conf")
_MAX_PORT: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class NameServer:
    """One socket address to send questions to; ``text`` is what people read."""

    family: socket.AddressFamily
    sockaddr: tuple[Any, ...]
    text: str


async def name_servers(setting: str | None, *, until: float) -> Sequence[NameServer]:
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
    return [_name_server(each) for each in found]


def system_name_servers(file: Path = SYSTEM_FILE) -> Sequence[NameServer]:
    """Give the name servers of ``resolv.conf(5)`` in their order; lines that mean none are skipped.

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


def _system_lines(text: str) -> Iterator[NameServer]:
    for line in text.splitlines():
        words = line.split()
        if words[:1] != ["nameserver"] or len(words) < 2:  # noqa: PLR2004 - a word and its address
            continue
        try:
            found = socket.getaddrinfo(
                words[1], DNS_PORT, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except OSError:
            continue
        yield _name_server(found[0])


def _name_server(found: tuple[Any, ...]) -> NameServer:
    family, _, _, _, sockaddr = found
    host, port = sockaddr[:2]
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    text = shown if port == DNS_PORT else f"{shown}:{port}"
    return NameServer(family=family, sockaddr=sockaddr, text=text)


SCHEME: Final = "kubernetes://"
_OFFER: Final = "kubernetes-port-forward"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_PLACE: Final = re.compile(rf"{SCHEME}({_LABEL})/({_LABEL})")


def is_inside(text: str) -> bool:
    """Return whether the setting ``server`` means this."""
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
    """Return the server and the way to it, by TCP, as long as the context lasts.

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
        raise ServerFailure(words, remedy=error.remedy, silent=silent) from error


def _as_lookup(text: str, error: ErlconnectError) -> ErlconnectError:
    message = f"The name server {text} could not be asked: {error.message}"
    if isinstance(error, TimedOutError):
        return LookupTimeoutError(message, remedy=error.remedy)
    if isinstance(error, UnreachableError):
        return LookupFailedError(message, remedy=error.remedy)
    return error
