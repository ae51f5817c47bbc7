"""The way to one target: a transport that is open, the port, and a knock that was answered.

One knock at one port of a target, in the open or over TLS, as a session's choices say.

One dial within what is left of a deadline, and one question to a remote epmd.

Holding an asynchronous context open for longer than the code that opened it.

What a group of tasks failed of.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from erlconnect.contract import disconnect_reason
from erlconnect.epmd.client import names as epmd_names
from erlconnect.errors import (
    EpmdError,
    ErlconnectError,
    NotDistributionError,
    RefusedError,
    SeveralNodesError,
    TimedOutError,
    UnreachableError,
)
from erlconnect.plugin_manager.validation import Kind
from erlconnect.proxy.errors import no_connection, tls_missing
from erlconnect.proxy.frame_stream import LENGTH_SIZE, TLS_LENGTH_SIZE
from erlconnect.proxy.probe import probe
from erlconnect.proxy.timing import Timer
from erlconnect.session.discovery import choose_name
from erlconnect.session.tls import TLS_HANDSHAKE_SECONDS, speaks_tls

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from erlconnect.contract import Dialer, Target, Transport
    from erlconnect.proxy.probe import ProbeResult
    from erlconnect.session.names import CallerNames
    from erlconnect.session.plugin_resolver import PluginResolver
    from erlconnect.session.tls import TlsClient


async def registered_names(dialer: Dialer, port: int, where: str, until: float) -> dict[str, int]:
    """Ask a remote epmd for all its names and their ports."""
    try:
        reply = await epmd_names(
            lambda: dial_until(dialer, port, where, until),
            where=where,
            seconds=seconds_until(until),
        )
    except UnreachableError as error:
        raise EpmdError(
            f"{where} could not be asked: {error.message}",
            remedy=f"{error.remedy} If the ports differ from the usual ones, name the node's with "
            "`-o dist-port=`, or epmd's with `-o epmd-port=`.",
        ) from error
    return dict(reply.nodes)


async def dial_until(dialer: Dialer, port: int, where: str, until: float) -> socket.socket:
    """Dial, until ``until`` at the latest. Raises ``TimedOutError`` and what the dialer raises."""
    seconds = seconds_until(until)
    try:
        async with asyncio.timeout(seconds):
            return await dialer.dial(port)
    except TimeoutError as error:
        raise no_connection(where, seconds) from error


def seconds_until(until: float) -> float:
    """Give what is left: each step has its own deadline, so that it can say what it waited for."""
    return max(0.0, until - asyncio.get_running_loop().time())


def seconds_from_now(seconds: float) -> float:
    """Return the deadline that ``dialled`` takes."""
    return asyncio.get_running_loop().time() + seconds


_log = logging.getLogger(__name__)


class Prober:
    """``stopwatch`` learns of the phases ``connect`` and ``knock``, and of the messages in it."""

    def __init__(self, callers: CallerNames, *, tls: TlsClient | None, stopwatch: Timer) -> None:
        self._callers = callers
        self._tls = tls
        self._stopwatch = stopwatch

    @property
    def length_size(self) -> int:
        """How many bytes the length of a handshake's frame has."""
        return TLS_LENGTH_SIZE if self._tls else LENGTH_SIZE

    def way(self, target: Target, dialer: Dialer) -> Dialer:
        """Return the way to the distribution of ``target``; epmd never speaks TLS."""
        if self._tls is None:
            return dialer
        return self._tls.over(dialer, host=target.node.host, address=target.address)

    async def knock(self, target: Target, dialer: Dialer, port: int, until: float) -> ProbeResult:
        """Knock, until ``until`` and the time for TLS. Raises what ``proxy.knock`` raises."""
        where = f"{target.address}:{port}"
        way = self.way(target, dialer)
        until += TLS_HANDSHAKE_SECONDS if self._tls else 0
        with self._stopwatch.phase("connect", where):
            connected = await dial_until(way, port, where, until)
        with connected as sock, self._stopwatch.phase("knock", where):
            try:
                knocked = await probe(
                    sock,
                    caller_name=self._callers.of_knock(long=target.node.long),
                    where=where,
                    deadline=seconds_until(until),
                    transport_words=lambda: disconnect_reason(way, sock),
                    length_size=self.length_size,
                    stopwatch=self._stopwatch,
                )
            except NotDistributionError as error:
                if self._tls is None and await speaks_tls(dialer, port):
                    raise tls_missing(where) from error
                raise
        _log.debug("%s answered the knock: %s, creation %d", where, knocked.node, knocked.creation)
        return knocked


Value = TypeVar("Value")


async def hold_open(
    group: asyncio.TaskGroup, context: AbstractAsyncContextManager[Value]
) -> tuple[Value, Callable[[], None]]:
    """Enter ``context`` in a task of its own; return its value and a function that ends it.

    A context that uses tasks or timeouts inside has to be left by the task that entered it.
    Cancelled, or if entering fails, it leaves nothing open.
    """
    entered: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
    release = asyncio.Event()

    async def hold() -> None:
        try:
            async with context as value:
                if not entered.done():
                    entered.set_result(value)
                    await release.wait()
        except Exception as error:
            if entered.done():
                raise
            entered.set_exception(error)

    task = group.create_task(hold())
    try:
        return await entered, release.set
    except asyncio.CancelledError:
        task.cancel()
        raise


# A dead target that is listed first costs this and no more.
PROBE_SECONDS: Final = 3.0
_OPEN_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedTarget:
    """A target that answered. ``close`` ends its transport; links already up go on.

    ``dialer`` leads to its distribution, whose handshake has lengths of ``length_size`` bytes.
    """

    target: Target
    transport: str
    dialer: Dialer
    port: int
    length_size: int
    knocked: ProbeResult
    close: Callable[[], None]

    @property
    def where(self) -> str:
        """Name the target in messages."""
        return f"{self.target.node} at {self.target.address}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenPath:
    """A transport that is open, and the time that a knock through it may take."""

    transport: str
    dialer: Dialer
    close: Callable[[], None]
    seconds: float


class Connector:
    """Approaches targets one after the other, with the choices of one session.

    ``stopwatch`` learns of the phases ``transport``, ``epmd``, ``connect`` and ``knock``, of the
    messages in the last one, and which error each of them ended with.
    """

    def __init__(
        self,
        offers: PluginResolver,
        callers: CallerNames,
        group: asyncio.TaskGroup,
        *,
        node: str | None,
        dist_port: int | None,
        tls: TlsClient | None = None,
        stopwatch: Timer | None = None,
    ) -> None:
        self._offers = offers
        self._group = group
        self._node = node
        self._dist_port = dist_port
        self._stopwatch = stopwatch or Timer.unread()
        self._knocker = Prober(callers, tls=tls, stopwatch=self._stopwatch)

    async def approach(self, target: Target) -> ConnectedTarget:
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

    async def _through(self, target: Target, way: _OpenPath) -> ConnectedTarget:
        try:
            with self._offers.catalogue.attribute_errors(Kind.TRANSPORT, way.transport, "dial()"):
                port, knocked = await self._find_and_knock(target, way.dialer, way.seconds)
        except BaseException:
            way.close()
            raise
        node = knocked.node or target.node
        return ConnectedTarget(
            target=replace(target, node=node, dist_port=port),
            transport=way.transport,
            dialer=self._knocker.way(target, way.dialer),
            port=port,
            length_size=self._knocker.length_size,
            knocked=knocked,
            close=way.close,
        )

    async def _open(self, target: Target, name: str, transport: Transport) -> _OpenPath:
        began = asyncio.get_running_loop().time()
        try:
            with (
                self._stopwatch.phase("transport", name),
                self._offers.catalogue.attribute_errors(Kind.TRANSPORT, name, "open()"),
            ):
                async with asyncio.timeout(_OPEN_SECONDS):
                    dialer, close = await hold_open(self._group, transport.open(target))
        except TimeoutError as error:
            raise TimedOutError(
                f"the transport {name} was not open after {_OPEN_SECONDS:g} s",
                remedy="Try again, or name another one with `--transport`.",
            ) from error
        took = asyncio.get_running_loop().time() - began
        # A way that was slow to open may be as slow to dial.
        seconds = PROBE_SECONDS + min(took, PROBE_SECONDS)
        return _OpenPath(transport=name, dialer=dialer, close=close, seconds=seconds)

    async def _find_and_knock(
        self, target: Target, dialer: Dialer, seconds: float
    ) -> tuple[int, ProbeResult]:
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
    ) -> tuple[int, ProbeResult]:
        where = f"{target.address}:{target.epmd_port}"
        with self._stopwatch.phase("epmd", where):
            ports = await registered_names(dialer, target.epmd_port, f"the epmd at {where}", until)
            # `--node` may name the target by its host or address; then it says nothing of names.
            wanted = None if self._node in (target.node.host, target.address) else self._node
            name = choose_name(ports, wanted=wanted, expected=target.node.name, where=where)
        return ports[name], await self._knocker.knock(target, dialer, ports[name], until)


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error that matters: a group of one is what every failure here makes."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
