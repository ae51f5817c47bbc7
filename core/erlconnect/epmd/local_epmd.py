"""The EPMD of this machine's port: whichever runs there, or one that is served when none does.

Knows how to find an EPMD, how to tell it from something else on its port, and when to serve one.
Sessions that find none at the same time race for the port; the losers use the winner's.

Where the machine's own EPMD is, by the variables that Erlang reads too.
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

_ANSWER_SECONDS: Final = 2.0
_RETURN_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 0.05
Result = TypeVar("Result")


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
        self._settling = asyncio.Lock()

    @property
    def embedded(self) -> bool:
        """Whether the EPMD is served here."""
        return self._server is not None

    async def names(self) -> NamesResponse:
        """Ask for all names. Raises ``EpmdError``."""
        return await self._converse(lambda: self._names(_ANSWER_SECONDS))

    async def register(self, request: Alive2Request) -> Registration | None:
        """Register a node; ``None`` where its name is taken. Raises ``EpmdError``."""
        return await self._converse(
            lambda: client.register(self._dial, request, where=self.where, seconds=_ANSWER_SECONDS)
        )

    async def look(self) -> NamesResponse | None:
        """Ask for all names; ``None`` where nobody listens, and nothing is served.

        Raises ``EpmdError`` where the port is held by something else.
        """
        try:
            return await self._probe(_ANSWER_SECONDS)
        except NoEpmdError:
            return None

    async def settle(self) -> None:
        """See that an EPMD answers; serve one if nobody listens.

        Raises ``EpmdError`` within some 2 seconds where the port is held by something else.
        """
        await self._settle(patience=0)

    async def settle_again(self) -> None:
        """Do the same after the EPMD went away, giving another one a second to come."""
        await self._settle(patience=_RETURN_SECONDS)

    async def close(self) -> None:
        """End the embedded EPMD, if there is one."""
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def _converse(self, converse: Callable[[], Awaitable[Result]]) -> Result:
        """Talk with the EPMD, a second time if it went away and another has come."""
        try:
            return await self._remedied(converse)
        except NoEpmdError:
            await self.settle_again()
            return await self._remedied(converse)

    async def _settle(self, *, patience: float) -> None:
        loop = asyncio.get_running_loop()
        async with self._settling:
            begin = loop.time()
            while True:
                waited = loop.time() - begin
                left = max(patience + _ANSWER_SECONDS - waited, 2 * _PAUSE_SECONDS)
                try:
                    await self._probe(left)
                except NoEpmdError:
                    if waited >= patience and await self._serve():
                        return self._tell(patience)
                    if waited >= patience + _ANSWER_SECONDS:
                        raise
                else:
                    return None
                await asyncio.sleep(_PAUSE_SECONDS)

    def _tell(self, patience: float) -> None:
        if patience:
            self._warn(f"{self.where} went away and none came back; this session serves one now")

    async def _probe(self, seconds: float) -> NamesResponse:
        reply = await self._remedied(lambda: self._names(seconds))
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
        """Serve an EPMD; say whether that was possible or someone else holds the port."""
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

    async def _remedied(self, converse: Callable[[], Awaitable[Result]]) -> Result:
        """Say what helps with a local EPMD, where the client can only speak of any."""
        try:
            return await converse()
        except TimedOutError as error:
            raise EpmdError(error.message, remedy=self._remedy()) from error
        except EpmdError as error:
            raise type(error)(error.message, remedy=self._remedy()) from error

    def _remedy(self) -> str:
        return (
            f"End what holds port {self.port} (`lsof -i :{self.port}` names it), or set "
            "ERL_EPMD_PORT to another port, here and for Erlang's tools alike."
        )


DEFAULT_PORT: Final = 4369
_MAX_PORT: Final = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class EpmdEnvironment:
    """The port of the local EPMD, and addresses that it should listen on besides loopback."""

    port: int = DEFAULT_PORT
    addresses: tuple[str, ...] = ()

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> EpmdEnvironment:
        """Read ERL_EPMD_PORT and ERL_EPMD_ADDRESS (addresses with commas between).

        An empty variable counts as absent. Raises ``ConfigurationError`` where one is rubbish.
        """
        port = environment.get("ERL_EPMD_PORT", "").strip()
        addresses = environment.get("ERL_EPMD_ADDRESS", "").split(",")
        return cls(
            port=_port(port) if port else DEFAULT_PORT,
            addresses=tuple(_address(text.strip()) for text in addresses if text.strip()),
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
