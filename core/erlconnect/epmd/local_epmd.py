"""The EPMD of this machine: which port it has, whether one answers there, and serving one if not.

``EpmdEnvironment`` reads the port from the variables that Erlang reads, too. ``EpmdProvider`` tells
an EPMD from something else on its port and serves one where nobody listens. Of sessions that find
none at the same time one gets the port; the others use what it serves.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from erlconnect.epmd import client
from erlconnect.epmd.client import NoEpmdError
from erlconnect.epmd.server import EmbeddedEpmd
from erlconnect.errors import ConfigurationError, EpmdError, TimedOutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from erlconnect.epmd.client import Registration
    from erlconnect.epmd.messages import Alive2Request, NamesResponse

DEFAULT_PORT: Final = 4369
_MAX_PORT: Final = 0xFFFF
_ANSWER_SECONDS: Final = 2.0
_RETURN_SECONDS: Final = 1.0  # for another EPMD to take the place of one that went away
_PAUSE_SECONDS: Final = 0.05
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class EpmdEnvironment:
    """The port of the local EPMD, and addresses that it should listen on besides loopback."""

    port: int = DEFAULT_PORT
    addresses: tuple[str, ...] = ()

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> EpmdEnvironment:
        """Read ERL_EPMD_PORT and ERL_EPMD_ADDRESS (addresses with commas between).

        An empty variable counts as absent. Raises ``ConfigurationError`` where one holds something
        else.
        """
        port = environment.get("ERL_EPMD_PORT", "").strip()
        addresses = environment.get("ERL_EPMD_ADDRESS", "").split(",")
        return cls(
            port=_port(port) if port else DEFAULT_PORT,
            addresses=tuple(_address(text.strip()) for text in addresses if text.strip()),
        )


class EpmdProvider:
    """Asks the EPMD of one port on 127.0.0.1 and sees to it that there is one."""

    def __init__(self, port: int, *, addresses: Sequence[str], warn: Callable[[str], None]) -> None:
        """``addresses`` are for an embedded EPMD, as those of ``EmbeddedEpmd.serve``."""
        self.port = port
        self.where = f"the local epmd on port {port}"
        self._addresses = addresses
        self._warn = warn
        self._dial = client.loopback(port)
        self._server: EmbeddedEpmd | None = None
        self._start_lock = asyncio.Lock()

    @property
    def embedded(self) -> bool:
        """Whether the EPMD is served here."""
        return self._server is not None

    async def names(self) -> NamesResponse:
        """Return all names. Raises ``EpmdError``."""
        return await self._exchange_twice(lambda: self._names(_ANSWER_SECONDS))

    async def register(self, request: Alive2Request) -> Registration | None:
        """Register a node; ``None`` where its name is taken. Raises ``EpmdError``."""
        return await self._exchange_twice(
            lambda: client.register(self._dial, request, where=self.where, seconds=_ANSWER_SECONDS)
        )

    async def names_if_running(self) -> NamesResponse | None:
        """Return all names; ``None`` where nobody listens. No EPMD is started.

        Raises ``EpmdError`` where the port is held by something else.
        """
        try:
            return await self._probe(_ANSWER_SECONDS)
        except NoEpmdError:
            return None

    async def ensure_running(self) -> None:
        """Return when an EPMD answers; serve one if nobody listens.

        Raises ``EpmdError`` within some 2 seconds where the port is held by something else.
        """
        await self._ensure_running(grace_seconds=0)

    async def ensure_running_again(self) -> None:
        """Do the same after the EPMD went away, giving another one a second to come."""
        await self._ensure_running(grace_seconds=_RETURN_SECONDS)

    async def close(self) -> None:
        """End the embedded EPMD, if there is one."""
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def _exchange_twice(self, exchange: Callable[[], Awaitable[Result]]) -> Result:
        """Do one exchange; do it again if the EPMD went away and another one has come."""
        try:
            return await self._with_local_remedy(exchange)
        except NoEpmdError:
            await self.ensure_running_again()
            return await self._with_local_remedy(exchange)

    async def _ensure_running(self, *, grace_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        async with self._start_lock:
            begin = loop.time()
            while True:
                waited = loop.time() - begin
                left = max(grace_seconds + _ANSWER_SECONDS - waited, 2 * _PAUSE_SECONDS)
                # Nobody may listen and still the port be taken: another session has just bound it,
                # or something holds it that refuses connections. So both are tried in turns.
                try:
                    await self._probe(left)
                except NoEpmdError:
                    if waited >= grace_seconds and await self._serve():
                        return self._warn_of_serving(grace_seconds)
                    if waited >= grace_seconds + _ANSWER_SECONDS:
                        raise
                else:
                    return None
                await asyncio.sleep(_PAUSE_SECONDS)

    def _warn_of_serving(self, grace_seconds: float) -> None:
        if grace_seconds:
            self._warn(f"{self.where} went away and none came back; this session serves one now")

    async def _probe(self, seconds: float) -> NamesResponse:
        reply = await self._with_local_remedy(lambda: self._names(seconds))
        # ``erl_epmd`` compares, too. An SSH tunnel to another machine's EPMD looks like this.
        if reply.epmd_port_no != self.port:
            raise EpmdError(
                f"{self.where} is that of port {reply.epmd_port_no}, forwarded from elsewhere; "
                "Erlang ignores it",
                remedy=self._remedy(),
            )
        return reply

    async def _names(self, seconds: float) -> NamesResponse:
        return await client.names(self._dial, where=self.where, seconds=seconds)

    async def _serve(self) -> bool:
        """Serve an EPMD; return whether that was possible, or ``False`` where the port is taken."""
        try:
            self._server = await EmbeddedEpmd.serve(
                self.port, addresses=self._addresses, warn=self._warn
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise EpmdError(
                f"{self.where} does not run, and none can be served there: {error}",
                remedy="Start one (epmd -daemon), or set ERL_EPMD_PORT to another port.",
            ) from error
        return True

    async def _with_local_remedy(self, exchange: Callable[[], Awaitable[Result]]) -> Result:
        """Do one exchange; errors get the remedy for a local EPMD instead of that for any."""
        try:
            return await exchange()
        except TimedOutError as error:
            raise EpmdError(error.message, remedy=self._remedy()) from error
        except EpmdError as error:
            raise type(error)(error.message, remedy=self._remedy()) from error

    def _remedy(self) -> str:
        return (
            f"End what holds port {self.port} (`lsof -i :{self.port}` names it), or set "
            "ERL_EPMD_PORT to another port, here and for Erlang's tools alike."
        )


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < port <= _MAX_PORT:
        raise ConfigurationError(
            f"ERL_EPMD_PORT is {text!r}, which is no port",
            remedy=f"Set it to a number from 1 to {_MAX_PORT}, or unset it for {DEFAULT_PORT}.",
        )
    return port


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise ConfigurationError(
            f"ERL_EPMD_ADDRESS holds {text!r}, which is no IP address",
            remedy="Set it to IP addresses with commas between them, or unset it.",
        ) from error
