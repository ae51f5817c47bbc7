"""The way to one target: a transport that is open, the port, and a knock that was answered."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from erlconnect.errors import (
    EpmdError,
    ErlconnectError,
    NotDistributionError,
    RefusedError,
    SeveralNodesError,
    TimedOutError,
    UnreachableError,
)
from erlconnect.plugin_catalogue.kinds import Kind
from erlconnect.proxy.stopwatch import Stopwatch
from erlconnect.session.dialling import registered
from erlconnect.session.keeping import keep
from erlconnect.session.knocking import Knocker
from erlconnect.session.node_choice import choose_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from erlconnect.api import Dialer, Target, Transport
    from erlconnect.proxy.knock import Knocked
    from erlconnect.session.local_names import CallerNames
    from erlconnect.session.offers import Offers
    from erlconnect.session.tls_dialer import TlsClient

# A dead target that is listed first costs this and no more.
KNOCK_SECONDS: Final = 3.0
_OPEN_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Approached:
    """A target that answered. ``close`` ends its transport; links already up go on.

    ``dialer`` leads to its distribution, whose handshake has lengths of ``length_size`` bytes.
    """

    target: Target
    transport: str
    dialer: Dialer
    port: int
    length_size: int
    knocked: Knocked
    close: Callable[[], None]

    @property
    def where(self) -> str:
        """Name the target in messages."""
        return f"{self.target.node} at {self.target.address}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A transport that is open, and the time that a knock through it may take."""

    transport: str
    dialer: Dialer
    close: Callable[[], None]
    seconds: float


class Approach:
    """Approaches targets one after the other, with the choices of one session.

    ``stopwatch`` learns of the phases ``transport``, ``epmd``, ``connect`` and ``knock``, of the
    messages in the last one, and which error each of them ended with.
    """

    def __init__(
        self,
        offers: Offers,
        callers: CallerNames,
        group: asyncio.TaskGroup,
        *,
        node: str | None,
        dist_port: int | None,
        tls: TlsClient | None = None,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._offers = offers
        self._group = group
        self._node = node
        self._dist_port = dist_port
        self._stopwatch = stopwatch or Stopwatch.unread()
        self._knocker = Knocker(callers, tls=tls, stopwatch=self._stopwatch)

    async def approach(self, target: Target) -> Approached:
        """Open the first transport through which ``target`` answers a knock, and keep it open.

        Raises the refusal of a transport that could be opened, or the error of the best one, where
        none works. Cancelled, it leaves none open.
        """
        errors: list[ErlconnectError] = []
        for name, transport in self._offers.transports(target):
            try:
                way = await self._open(target, name, transport)
            except ErlconnectError as error:
                errors.append(error)
                continue
            try:
                return await self._through(target, way)
            except (RefusedError, SeveralNodesError):
                # Another way would lead to the same answer, or around it.
                raise
            except ErlconnectError as error:
                errors.append(error)
        # A refusal tells more than that another way led nowhere.
        raise next((error for error in errors if isinstance(error, RefusedError)), errors[0])

    async def _through(self, target: Target, way: _Way) -> Approached:
        try:
            with self._offers.catalogue.blaming(Kind.TRANSPORT, way.transport, "dial()"):
                port, knocked = await self._find_and_knock(target, way.dialer, way.seconds)
        except BaseException:
            way.close()
            raise
        node = knocked.node or target.node
        return Approached(
            target=replace(target, node=node, dist_port=port),
            transport=way.transport,
            dialer=self._knocker.way(target, way.dialer),
            port=port,
            length_size=self._knocker.length_size,
            knocked=knocked,
            close=way.close,
        )

    async def _open(self, target: Target, name: str, transport: Transport) -> _Way:
        began = asyncio.get_running_loop().time()
        try:
            with (
                self._stopwatch.phase("transport", name),
                self._offers.catalogue.blaming(Kind.TRANSPORT, name, "open()"),
            ):
                async with asyncio.timeout(_OPEN_SECONDS):
                    dialer, close = await keep(self._group, transport.open(target))
        except TimeoutError as error:
            raise TimedOutError(
                f"the transport {name} was not open after {_OPEN_SECONDS:g} s",
                remedy="Try again, or name another one with `--transport`.",
            ) from error
        took = asyncio.get_running_loop().time() - began
        # A way that was slow to open may be as slow to dial.
        seconds = KNOCK_SECONDS + min(took, KNOCK_SECONDS)
        return _Way(transport=name, dialer=dialer, close=close, seconds=seconds)

    async def _find_and_knock(
        self, target: Target, dialer: Dialer, seconds: float
    ) -> tuple[int, Knocked]:
        began = asyncio.get_running_loop().time()
        until = began + seconds
        if self._dist_port:
            return self._dist_port, await self._knocker.knock(
                target, dialer, self._dist_port, until
            )
        if not target.dist_port:
            return await self._ask_and_knock(target, dialer, until)
        try:
            # A directory's port may be a web server's, which waits for more instead of refusing.
            halfway = began + seconds / 2
            knocked = await self._knocker.knock(target, dialer, target.dist_port, halfway)
        except (NotDistributionError, UnreachableError, TimedOutError) as error:
            with contextlib.suppress(EpmdError, TimedOutError):
                return await self._ask_and_knock(target, dialer, until)
            raise error from None
        return target.dist_port, knocked

    async def _ask_and_knock(
        self, target: Target, dialer: Dialer, until: float
    ) -> tuple[int, Knocked]:
        where = f"{target.address}:{target.epmd_port}"
        with self._stopwatch.phase("epmd", where):
            ports = await registered(dialer, target.epmd_port, f"the epmd at {where}", until)
            # `--node` may name the target by its host or address; then it says nothing of names.
            wanted = None if self._node in (target.node.host, target.address) else self._node
            name = choose_name(ports, wanted=wanted, expected=target.node.name, where=where)
        return ports[name], await self._knocker.knock(target, dialer, ports[name], until)
