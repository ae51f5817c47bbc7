"""Transport ``direct``: TCP from this machine straight to the target's address.

For every dial the host is looked up (``addresses_of``), its addresses race (``net/dial.py``), and
what came back from each is put into words for the user.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from erlconnect.api import (
    ConfigurationError,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    Offer,
    Settings,
    TimedOutError,
    UnreachableError,
    hookimpl,
)
from erlconnect.net.dial import Address, Race, found_addresses
from erlconnect.net.threads import in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from erlconnect.api import Target

Family = Literal["auto", "4", "6"]
DEADLINE_SECONDS: Final = 5.0  # of one dial; the handshake behind it has 6
_WORDS: Final = {
    errno.ECONNREFUSED: "refused the connection",
    errno.ECONNRESET: "reset the connection",
    errno.EHOSTUNREACH: "no route to that host",
    errno.ENETUNREACH: "no route to that network",
    errno.EADDRNOTAVAIL: "no address of this machine can reach it",
    errno.ETIMEDOUT: "no answer",
}
_FAMILIES: Final[dict[str, socket.AddressFamily]] = {
    "auto": socket.AF_UNSPEC,
    "4": socket.AF_INET,
    "6": socket.AF_INET6,
}
# Not every platform has all of them: EAI_NODATA and EAI_ADDRFAMILY are not in POSIX.
_NO_SUCH_NAME: Final = frozenset(
    code
    for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
    if (code := getattr(socket, name, None)) is not None
)


class DirectSettings(Settings):
    """Settings of ``direct``."""

    family: Annotated[Family, BeforeValidator(str)] = Field(
        default="auto", description="Use only IPv4 (4) or IPv6 (6); auto tries both."
    )
    host: str | None = Field(
        default=None,
        min_length=1,
        description="Dial this host (name or address, no port) instead of the target's address.",
    )


class DirectTransport:
    """Dials the target's address, or another one that the user named."""

    def __init__(self, settings: DirectSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[DirectDialer]:
        """Return a dialer; it holds nothing open between two dials."""
        host = self._settings.host or target.address
        yield DirectDialer(host=host, family=self._settings.family)


class DirectDialer:
    """Looks the host up and connects, afresh for every dial."""

    def __init__(self, *, host: str, family: Family) -> None:
        self._host = host
        self._family: Family = family

    async def dial(self, port: int) -> socket.socket:
        """Return a connected non-blocking TCP socket with ``TCP_NODELAY`` and ``SO_KEEPALIVE``.

        Raises what ``addresses_of`` raises, ``UnreachableError``, and after 5 s in all
        ``LookupTimeoutError`` or ``TimedOutError``. Cancelled, it leaves no socket behind.
        """
        race = None
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                # Kept in a variable: after the deadline its failures are still reported.
                race = Race(await addresses_of(self._host, port, self._family))
                connected = await race.run()
        except TimeoutError as error:
            raise (self._failed(port, race) if race else self._lookup_timed_out()) from error
        if connected is None:
            raise self._failed(port, race)
        return connected

    def _lookup_timed_out(self) -> LookupTimeoutError:
        return LookupTimeoutError(
            f"The name {self._host} could not be looked up within {DEADLINE_SECONDS:.0f} s",
            remedy="Check that this machine's name server can be reached, and try again.",
        )

    def _failed(self, port: int, race: Race) -> UnreachableError | TimedOutError:
        answers = {failure.address: failure.error for failure in race.failures}
        tried = "; ".join(
            f"{each.text}: {_dial_error_text(answers.get(each))}" for each in race.tried
        )
        # ETIMEDOUT comes from this machine's kernel, and is no answer from the network.
        answered = any(error.errno != errno.ETIMEDOUT for error in answers.values())
        return (UnreachableError if answered else TimedOutError)(
            f"Could not connect to {self._host}, port {port} ({tried})", remedy=_remedy(port, race)
        )


def _dial_error_text(error: OSError | None) -> str:
    if error is None:
        return f"no answer within {DEADLINE_SECONDS:.0f} s"
    number = error.errno or 0
    return _WORDS.get(number) or os.strerror(number)


def _remedy(port: int, race: Race) -> str:
    # A refusal came back from there: hints about an unreachable network would mislead.
    if any(failure.error.errno == errno.ECONNREFUSED for failure in race.failures):
        return f"The machine is there and nobody listens on port {port}: check that the node runs."
    if any(address.private for address in race.tried):
        return (
            "The address belongs to a private network: join it (a VPN?), name a host that this"
            " machine can reach with -o transport.host=, or go through a command inside with --via."
        )
    return (
        "Check the address and the firewalls on the way, name another host with"
        " -o transport.host=, or choose another way in with --transport."
    )


async def addresses_of(host: str, port: int, family: Family) -> list[Address]:
    """Return the addresses of ``host``: a name, a numeric address, ``[v6]`` or ``v6%zone``.

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
    sockaddr = (plain, port, 0, _scope_id(zone, numeric))
    return Address(family=socket.AF_INET6, sockaddr=sockaddr, text=str(numeric))


def _scope_id(zone: str, numeric: ipaddress.IPv6Address) -> int:
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
        # getaddrinfo blocks and cannot be cancelled. A daemon thread does not hold up the exit.
        found = await in_daemon_thread(
            lambda: socket.getaddrinfo(
                host,
                port,
                family=_FAMILIES[family],
                type=socket.SOCK_STREAM,
                proto=socket.IPPROTO_TCP,
            ),
            name=f"lookup of {host}",
        )
    except (socket.gaierror, UnicodeError) as error:
        raise _lookup_error(host, family, error) from error
    return found_addresses(found)


def _lookup_error(
    host: str, family: Family, error: socket.gaierror | UnicodeError
) -> LookupFailedError | NameNotFoundError:
    # Python encodes the name by IDNA first: a label of more than 63 bytes is a UnicodeError.
    if isinstance(error, UnicodeError) or error.errno in _NO_SUCH_NAME:
        kind = "" if family == "auto" else f"IPv{family} "
        return NameNotFoundError(
            f"The name {host} has no {kind}address: {_lookup_error_text(error)}",
            remedy="Check the spelling. If the name only exists inside a private network,"
            " name a host that this machine can reach with -o transport.host=,"
            " or choose another way in with --transport.",
        )
    return LookupFailedError(
        f"The name {host} could not be looked up: {_lookup_error_text(error)}",
        remedy="Check that this machine's name server can be reached, and try again.",
    )


def _lookup_error_text(error: socket.gaierror | UnicodeError) -> str:
    return str(error.strerror) if isinstance(error, socket.gaierror) else "it is no valid name"


@hookimpl
def erlconnect_transports() -> Sequence[Offer]:
    """Offer ``direct``."""
    return [
        Offer(
            name="direct",
            summary="TCP straight to the target's address",
            settings=DirectSettings,
            create=DirectTransport,
        )
    ]
