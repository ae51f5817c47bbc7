"""From a target that a backend lists to a connected one: transport, port, probe.

A probe is the beginning of a handshake, up to the challenge: it shows the node's real name and
needs no cookie. ``Connector`` opens the transports of a target one after the other, asks the remote
epmd where the port is not known, and keeps the first transport through which the node answers.
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
    from erlconnect.proxy.handshake import Cookies
    from erlconnect.proxy.probe import ProbeResult
    from erlconnect.session.names import CallerNames
    from erlconnect.session.plugin_resolver import PluginResolver
    from erlconnect.session.tls import TlsClient

# A dead target that is listed first costs this and no more.
PROBE_SECONDS: Final = 3.0
# A transport may have to start a program and to log in.
_OPEN_SECONDS: Final = 30.0
_log = logging.getLogger(__name__)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedTarget:
    """A target that answered a probe, with its open transport.

    ``discovered`` is the target as the backend listed it, ``target`` as the probe corrected it.
    ``dialer`` leads to its distribution, whose handshake has lengths of ``length_size`` bytes.
    ``close`` ends the transport; links already up go on. ``cookie_source`` is empty as long as no
    cookie was fetched; after that ``cookies`` is ``None`` only to pass challenge and digests
    through.
    """

    discovered: Target
    target: Target
    transport: str
    dialer: Dialer
    port: int
    length_size: int
    probe_result: ProbeResult
    close: Callable[[], None]
    cookies: Cookies | None = None
    cookie_source: str = ""

    @property
    def where(self) -> str:
        """Name the target in messages."""
        return f"{self.target.node} at {self.target.address}:{self.port}"


class Connector:
    """Connects to the targets of one TARGET.

    ``timer`` learns of the phases ``transport``, ``epmd``, ``connect`` and ``probe``, of the
    messages in the last one, and which error each of them ended with.
    """

    def __init__(
        self,
        plugins: PluginResolver,
        callers: CallerNames,
        group: asyncio.TaskGroup,
        *,
        node: str | None,
        dist_port: int | None,
        tls: TlsClient | None = None,
        timer: Timer | None = None,
    ) -> None:
        """``node`` is what ``--node`` says, ``dist_port`` what the session's setting says."""
        self._plugins = plugins
        self._callers = callers
        self._group = group
        self._node = node
        self._dist_port = dist_port
        self._tls = tls
        # A session runs for long and nobody reads its phases: their errors would keep alive what
        # their tracebacks refer to.
        self._timer = timer or Timer.disabled()

    async def connect(self, target: Target) -> ConnectedTarget:
        """Open the first transport through which ``target`` answers a probe, and keep it open.

        Raises the refusal of a transport that could be opened, or the error of the best one, where
        none works. Cancelled, it leaves none open.
        """
        errors: list[ErlconnectError] = []
        for name, transport in self._plugins.transports(target):
            try:
                opened = await self._open(target, name, transport)
            except ErlconnectError as error:
                errors.append(error)
                continue
            try:
                return await self._connect_through(target, opened)
            except (RefusedError, SeveralNodesError):
                # Another transport would lead to the same answer, or around a refusal.
                raise
            except ErlconnectError as error:
                errors.append(error)
        # A refusal says more than that another transport reached nothing.
        raise next((error for error in errors if isinstance(error, RefusedError)), errors[0])

    async def _open(self, target: Target, name: str, transport: Transport) -> _OpenTransport:
        began = asyncio.get_running_loop().time()
        try:
            with (
                self._timer.phase("transport", name),
                self._plugins.catalogue.attribute_errors(Kind.TRANSPORT, name, "open()"),
            ):
                async with asyncio.timeout(_OPEN_SECONDS):
                    dialer, close = await hold_open(self._group, transport.open(target))
        except TimeoutError as error:
            raise TimedOutError(
                f"the transport {name} was not open after {_OPEN_SECONDS:g} s",
                remedy="Try again, or name another one with `--transport`.",
            ) from error
        took = asyncio.get_running_loop().time() - began
        # A transport that was slow to open may be as slow to dial.
        seconds = PROBE_SECONDS + min(took, PROBE_SECONDS)
        return _OpenTransport(name=name, dialer=dialer, close=close, seconds=seconds)

    async def _connect_through(self, target: Target, opened: _OpenTransport) -> ConnectedTarget:
        try:
            with self._plugins.catalogue.attribute_errors(Kind.TRANSPORT, opened.name, "dial()"):
                port, result = await self._find_and_probe(target, opened.dialer, opened.seconds)
        # A cancellation, too: nobody else knows of this transport.
        except BaseException:
            opened.close()
            raise
        return ConnectedTarget(
            discovered=target,
            target=replace(target, node=result.node or target.node, dist_port=port),
            transport=opened.name,
            dialer=self._distribution_dialer(target, opened.dialer),
            port=port,
            length_size=TLS_LENGTH_SIZE if self._tls else LENGTH_SIZE,
            probe_result=result,
            close=opened.close,
        )

    async def _find_and_probe(
        self, target: Target, dialer: Dialer, seconds: float
    ) -> tuple[int, ProbeResult]:
        began = asyncio.get_running_loop().time()
        until = began + seconds
        if self._dist_port:
            return self._dist_port, await self._probe(target, dialer, self._dist_port, until)
        if not target.dist_port:
            return await self._ask_epmd_and_probe(target, dialer, until)
        try:
            # The port that a directory lists may be a web server's, which waits for more instead
            # of refusing: half of the time is left to ask epmd.
            halfway = began + seconds / 2
            result = await self._probe(target, dialer, target.dist_port, halfway)
        except (NotDistributionError, UnreachableError, TimedOutError) as error:
            with contextlib.suppress(EpmdError, TimedOutError):
                return await self._ask_epmd_and_probe(target, dialer, until)
            raise error from None
        return target.dist_port, result

    async def _ask_epmd_and_probe(
        self, target: Target, dialer: Dialer, until: float
    ) -> tuple[int, ProbeResult]:
        where = f"{target.address}:{target.epmd_port}"
        with self._timer.phase("epmd", where):
            ports = await registered_names(dialer, target.epmd_port, f"the epmd at {where}", until)
            # `--node` may name the target by its host or address; then it is no name of a node.
            wanted = None if self._node in (target.node.host, target.address) else self._node
            name = choose_name(ports, wanted=wanted, expected=target.node.name, where=where)
        return ports[name], await self._probe(target, dialer, ports[name], until)

    async def _probe(self, target: Target, dialer: Dialer, port: int, until: float) -> ProbeResult:
        """Probe, until ``until`` and the time for TLS. Raises what ``proxy.probe`` raises."""
        where = f"{target.address}:{port}"
        own_dialer = self._distribution_dialer(target, dialer)
        until += TLS_HANDSHAKE_SECONDS if self._tls else 0
        with self._timer.phase("connect", where):
            stream = await dial_until(own_dialer, port, where, until)
        with stream, self._timer.phase("probe", where):
            try:
                result = await probe(
                    stream,
                    caller_name=self._callers.for_probe(long=target.node.long),
                    where=where,
                    deadline=seconds_until(until),
                    transport_words=lambda: disconnect_reason(own_dialer, stream),
                    length_size=TLS_LENGTH_SIZE if self._tls else LENGTH_SIZE,
                    stopwatch=self._timer,
                )
            except NotDistributionError as error:
                # What comes back from a TLS node is no proof of TLS; its answer to a hello is.
                if self._tls is None and await speaks_tls(dialer, port):
                    raise tls_missing(where) from error
                raise
        _log.debug("%s answered the probe: %s, creation %d", where, result.node, result.creation)
        return result

    def _distribution_dialer(self, target: Target, dialer: Dialer) -> Dialer:
        """Return what dials the distribution of ``target``; epmd never speaks TLS."""
        if self._tls is None:
            return dialer
        return self._tls.over(dialer, host=target.node.host, address=target.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenTransport:
    """A transport that is open, and the seconds that a probe through it may take."""

    name: str
    dialer: Dialer
    close: Callable[[], None]
    seconds: float


async def registered_names(dialer: Dialer, port: int, where: str, until: float) -> dict[str, int]:
    """Ask a remote epmd for all its names and their ports. Raises ``EpmdError``."""
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
    """Return what is left: each step has its own timeout, so that it can say what it waited for."""
    return max(0.0, until - asyncio.get_running_loop().time())


def seconds_from_now(seconds: float) -> float:
    """Return the deadline that ``dial_until`` takes."""
    return asyncio.get_running_loop().time() + seconds


async def hold_open(
    group: asyncio.TaskGroup, context: AbstractAsyncContextManager[Value]
) -> tuple[Value, Callable[[], None]]:
    """Enter ``context`` in a task of its own; return its value and a function that ends it.

    Cancelled, or if entering fails, it leaves nothing open.
    """
    # A context that uses task groups or timeouts inside has to be left by the task that entered it.
    entered: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
    release = asyncio.Event()

    async def hold() -> None:
        try:
            async with context as value:
                # The caller may have been cancelled meanwhile: then nobody waits for it.
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
    # The task leaves the context by itself.
    except asyncio.CancelledError:
        task.cancel()
        raise


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error inside: the task groups here end with the one that failed first."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
