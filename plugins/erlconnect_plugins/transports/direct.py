"""Transport ``direct``: TCP from this machine straight to the target's address.

Knows what can go wrong on the way and the words for it. Refuses to know how names become addresses
and in which order these are tried.
"""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator, Field

from erlconnect.api import (
    LookupTimeoutError,
    Offer,
    Settings,
    TimedOutError,
    UnreachableError,
    hookimpl,
)
from erlconnect.net.dial import Race
from erlconnect_plugins.transports.addresses import Family, addresses_of

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Sequence

    from erlconnect.api import Target

DEADLINE_SECONDS: Final = 5.0  # of one dial; the handshake behind it has 6

_WORDS: Final = {
    errno.ECONNREFUSED: "refused the connection",
    errno.ECONNRESET: "reset the connection",
    errno.EHOSTUNREACH: "no route to that host",
    errno.ENETUNREACH: "no route to that network",
    errno.EADDRNOTAVAIL: "no address of this machine can reach it",
    errno.ETIMEDOUT: "no answer",
}


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
        """Give a dialer; there is nothing to warm up and nothing to close."""
        host = self._settings.host or target.address
        yield DirectDialer(host=host, family=self._settings.family)


class DirectDialer:
    """Looks the host up and connects, afresh for every dial."""

    def __init__(self, *, host: str, family: Family) -> None:
        self._host = host
        self._family: Family = family

    async def dial(self, port: int) -> socket.socket:
        """Give a connected non-blocking TCP socket with ``TCP_NODELAY`` and ``SO_KEEPALIVE``.

        Raises what ``addresses_of`` raises, ``UnreachableError``, and after 5 s in all
        ``LookupTimeoutError`` or ``TimedOutError``. Cancelled, it leaves no socket behind.
        """
        race = None
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
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
        tried = "; ".join(f"{each.text}: {_words(answers.get(each))}" for each in race.tried)
        answered = any(error.errno != errno.ETIMEDOUT for error in answers.values())
        return (UnreachableError if answered else TimedOutError)(
            f"Could not connect to {self._host}, port {port} ({tried})", remedy=_remedy(port, race)
        )


def _words(error: OSError | None) -> str:
    if error is None:
        return f"no answer within {DEADLINE_SECONDS:.0f} s"
    number = error.errno or 0
    return _WORDS.get(number) or os.strerror(number)


def _remedy(port: int, race: Race) -> str:
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
