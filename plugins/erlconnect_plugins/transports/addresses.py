"""From the text of a host to the socket addresses to try, in the order to try them.

Knows numeric addresses with zones, and names. Refuses to connect.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from erlconnect.api import (
    ConfigurationError,
    LookupFailedError,
    NameNotFoundError,
    UnreachableError,
)
from erlconnect.net.dial import Address, found_addresses

if TYPE_CHECKING:
    from collections.abc import Sequence

Family = Literal["auto", "4", "6"]

_FAMILIES: Final[dict[str, socket.AddressFamily]] = {
    "auto": socket.AF_UNSPEC,
    "4": socket.AF_INET,
    "6": socket.AF_INET6,
}
_NO_SUCH_NAME: Final = frozenset(
    code
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
    if (code := getattr(socket, name, None)) is not None
)


async def addresses_of(host: str, port: int, family: Family) -> list[Address]:
    """Give the addresses of ``host``: a name, a numeric address, ``[v6]`` or ``v6%zone``.

    Never empty. Raises ``NameNotFoundError``, ``LookupFailedError``, ``UnreachableError`` for a
    zone that this machine does not have and ``ConfigurationError`` where ``family`` cannot be.
    Cancelled, a lookup ends by itself in the background.
    """
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        numeric = ipaddress.ip_address(host)
    except ValueError:
        return await _looked_up(host, port, family)
    if family not in ("auto", str(numeric.version)):
        raise ConfigurationError(
            f"{host} is no IPv{family} address, and the transport's family is {family}",
            remedy="Leave out -o transport.family, or name another host with -o transport.host=.",
        )
    return [_numeric(numeric, port)]


def _numeric(numeric: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> Address:
    if isinstance(numeric, ipaddress.IPv4Address):
        return Address(family=socket.AF_INET, sockaddr=(str(numeric), port), text=str(numeric))
    # getaddrinfo takes the name of a zone for link-local addresses only.
    plain, _, zone = str(numeric).partition("%")
    sockaddr = (plain, port, 0, _zone_index(zone, numeric))
    return Address(family=socket.AF_INET6, sockaddr=sockaddr, text=str(numeric))


def _zone_index(zone: str, numeric: ipaddress.IPv6Address) -> int:
    if not zone and numeric.is_link_local:
        raise UnreachableError(
            f"{numeric} is a link-local address and does not say behind which interface",
            remedy=f"Write the interface behind it, e.g. {numeric}%eth0.",
        )
    if not zone or zone.isdecimal():
        return int(zone or 0)
    try:
        return socket.if_nametoindex(zone)
    except OSError as error:
        raise UnreachableError(
            f"{numeric} is behind the interface {zone}, which this machine does not have",
            remedy=f"Bring {zone} up (a VPN?), or name another host with -o transport.host=.",
        ) from error


async def _looked_up(host: str, port: int, family: Family) -> list[Address]:
    try:
        found = await _getaddrinfo(host, port, _FAMILIES[family])
    except (socket.gaierror, UnicodeError) as error:
        raise _lookup_error(host, family, error) from error
    return found_addresses(found)


async def _getaddrinfo(host: str, port: int, family: socket.AddressFamily) -> Sequence[Any]:
    """Ask the system's resolver in a thread of its own.

    The loop's executor would be waited for when the program ends, for as long as a dead name
    server takes.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[Any]] = loop.create_future()

    def settle(result: Sequence[Any] | Exception) -> None:
        if answer.done():
            return
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    def ask() -> None:
        result: Sequence[Any] | Exception
        try:
            result = socket.getaddrinfo(
                host, port, family=family, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
        except (OSError, UnicodeError) as error:
            result = error
        # Nobody waits any more where the loop is closed.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=ask, name=f"lookup of {host}", daemon=True).start()
    return await answer


def _lookup_error(
    host: str, family: Family, error: socket.gaierror | UnicodeError
) -> LookupFailedError | NameNotFoundError:
    if isinstance(error, UnicodeError) or error.errno in _NO_SUCH_NAME:
        kind = "" if family == "auto" else f"IPv{family} "
        return NameNotFoundError(
            f"The name {host} has no {kind}address: {_words(error)}",
            remedy="Check the spelling. If the name only exists inside a private network,"
            " name a host that this machine can reach with -o transport.host=,"
            " or choose another way in with --transport.",
        )
    return LookupFailedError(
        f"The name {host} could not be looked up: {_words(error)}",
        remedy="Check that this machine's name server can be reached, and try again.",
    )


def _words(error: socket.gaierror | UnicodeError) -> str:
    return str(error.strerror) if isinstance(error, socket.gaierror) else "it is no valid name"
