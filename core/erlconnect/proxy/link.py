"""One link: a local node's connection through the proxy, from its first byte to its last.

``Link.run`` reads the local node's name, dials the remote node, performs both handshakes and starts
a pump for each direction. The mapping of names is fixed when the handshake ends. Where either side
ends, both connections are shut down, which wakes both pumps.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from erlconnect.distribution.flags import checks_fun_sizes
from erlconnect.distribution.name_mapping import CompiledMapping, inverse, permutation
from erlconnect.distribution.rewriter import Rewriter
from erlconnect.errors import NameInUseError
from erlconnect.guard.link_guard import LinkGuard
from erlconnect.hookspecs import LinkEvent
from erlconnect.net.sockets import unpaced
from erlconnect.proxy.errors import (
    gave_up_waiting,
    local_node_silent,
    no_answer,
    no_connection,
    peer_error,
)
from erlconnect.proxy.frame_stream import LENGTH_SIZE, FrameStream, PeerError
from erlconnect.proxy.handshake import HandshakeRelay
from erlconnect.proxy.relay import Pump

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from erlconnect.errors import ErlconnectError
    from erlconnect.guard.link_guard import GuardConfig, Refusal
    from erlconnect.proxy.frame_stream import Peer
    from erlconnect.proxy.handshake import HandshakeConfig, HandshakeResult


# A local node gives up 7 s after it dialled (net_kernel's net_setuptime): the error has to come
# before.
HANDSHAKE_SECONDS: Final = 6.0


class RemoteSide(Protocol):
    """What a link needs to know of its target; the session implements it."""

    max_frame: int
    guard: GuardConfig

    @property
    def length_size(self) -> int:
        """How many bytes the length of a handshake's frame has."""

    async def dial(self) -> socket.socket:
        """Return a connected socket to the target, or to what replaced it."""

    def introduction(self) -> HandshakeConfig:
        """Return what the handshake follows."""

    def link_up(self, event: LinkEvent) -> None:
        """Handle the event that a link came up."""

    def link_down(self, event: LinkEvent) -> None:
        """Handle the event that a link went down."""

    def refused(self, link: LinkEvent, refusal: Refusal) -> None:
        """Handle the event that a message of a link was refused."""

    async def why_ended(self, stream: socket.socket) -> str:
        """Return what the transport knows of the end of ``stream``, or an empty text."""

    def warn(self, message: str) -> None:
        """Warn the user of something that does not end the link."""


class Link:
    """``run`` is the whole life of one link; cancelled, it ends both connections."""

    def __init__(
        self,
        local: socket.socket,
        remote_side: RemoteSide,
        *,
        length_size: int = LENGTH_SIZE,
    ) -> None:
        """``length_size`` is how many bytes a frame's length has on the local side."""
        self._local = FrameStream(local, "local", length_size=length_size)
        self._remote: FrameStream | None = None
        self._side = remote_side
        self.local_node = ""
        """The name in send_name, as soon as it came."""
        self.since = 0.0
        """When the handshake ended, in seconds since 1970."""
        self.so_far: Callable[[], LinkEvent] | None = None
        """Returns what was counted until now; set when the handshake has ended."""

    async def run(self) -> None:
        """Shake hands and relay. Raises the ``ErlconnectError`` of a link that never came up."""
        try:
            introduced = await self._introduce_in_time()
            await self._relay(introduced)
        finally:
            self._local.socket.close()
            if self._remote:
                self._remote.socket.close()

    async def _introduce_in_time(self) -> HandshakeResult:
        where = self._side.introduction().where
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                return await self._introduce()
        except PeerError as error:
            words = await self._transport_words(error.peer)
            raise peer_error(error, where, words) from error
        except TimeoutError as error:
            raise self._too_late(where) from error

    def _too_late(self, where: str) -> ErlconnectError:
        if self._local.waiting_for:
            return local_node_silent(self._local.waiting_for, HANDSHAKE_SECONDS)
        if self._remote is None:
            return no_connection(where, HANDSHAKE_SECONDS)
        return no_answer(where, self._remote.waiting_for, HANDSHAKE_SECONDS)

    async def _introduce(self) -> HandshakeResult:
        handshakes = HandshakeRelay(self._local)
        await handshakes.recv_name()
        self.local_node = handshakes.name.name
        if self._local.ended:
            # The local node has given up already, as after a sleep of the machine. The remote node
            # must not see a connection of it.
            raise gave_up_waiting(self.local_node)
        remote = await self._side.dial()
        self._remote = FrameStream(remote, "remote", length_size=self._side.length_size)
        return await handshakes.introduce(self._remote, self._side.introduction())

    async def _relay(self, introduced: HandshakeResult) -> None:
        guard = self._guard(introduced)
        outward, inward, ends = self._pumps(introduced, guard)
        self.since = time.time()
        self.so_far = lambda: link_progress(introduced, outward, inward, guard.refused)
        self._side.link_up(link_up(introduced))
        reason = "the session ended"
        try:
            outward.start()
            inward.start()
            peer, reason = await ends.get()
            self._shut_down()
            words = await self._transport_words(peer)
            reason = f"{reason} ({words})" if words else reason
        finally:
            self._shut_down()
            await asyncio.to_thread(_join, outward, inward)
            outward.detach()
            inward.detach()
            # It refers to the guard, which refers to this link.
            self.so_far = None
            self._side.link_down(link_down(introduced, reason, outward, inward, guard.refused))
            self._warn_of_unknown_terms(introduced, outward, inward)

    def _guard(self, introduced: HandshakeResult) -> LinkGuard:
        loop = asyncio.get_running_loop()
        event = link_up(introduced)

        # The guard decides in the pumps' threads; the session is told in the event loop's.
        def tell(refusal: Refusal) -> None:
            loop.call_soon_threadsafe(self._side.refused, event, refusal)

        flags = introduced.local_flags & introduced.remote_flags
        return LinkGuard(self._side.guard, flags=flags, tell=tell)

    def _pumps(
        self, introduced: HandshakeResult, guard: LinkGuard
    ) -> tuple[Pump, Pump, asyncio.Queue[tuple[Peer, str]]]:
        """Return the pump to the remote node, the one from it, and where the first end is told."""
        assert self._remote  # noqa: S101 - the handshake is over
        loop = asyncio.get_running_loop()
        ends: asyncio.Queue[tuple[Peer, str]] = asyncio.Queue()
        names = link_names(introduced)
        local, remote = self._local.socket, self._remote.socket
        # The pumps block: each has a thread of its own, and a sink that does not read stops its
        # source.
        for sock in (local, remote):
            unpaced(sock)
            sock.setblocking(True)

        def pump(peer: Peer, names: Mapping[str, str], receiver: int) -> Pump:
            source, sink = (local, remote) if peer == "local" else (remote, local)

            def tell(reason: str) -> None:
                loop.call_soon_threadsafe(ends.put_nowait, (peer, reason))

            table = CompiledMapping(names, fun_sizes=checks_fun_sizes(receiver))
            rewriter = Rewriter(
                table,
                max_frame=self._side.max_frame,
                guard=guard.outward if peer == "local" else guard.inward,
            )
            return Pump(peer, source=source, sink=sink, rewriter=rewriter, on_end=tell)

        outward = pump("local", names, introduced.remote_flags)
        inward = pump("remote", inverse(names), introduced.local_flags)
        outward.answer, inward.answer = inward.insert, outward.insert
        return outward, inward, ends

    async def _transport_words(self, peer: Peer) -> str:
        """Return what the transport knows of the remote side's end."""
        if peer == "local" or self._remote is None:
            return ""
        return await self._side.why_ended(self._remote.socket)

    def _shut_down(self) -> None:
        """End both connections; this wakes the pumps from whatever call they block in."""
        for stream in (self._local, self._remote):
            if stream:
                with contextlib.suppress(OSError):
                    stream.socket.shutdown(socket.SHUT_RDWR)

    def _warn_of_unknown_terms(self, introduced: HandshakeResult, *pumps: Pump) -> None:
        lost = sum(pump.rewriter.unparseable for pump in pumps)
        if lost:
            self._side.warn(
                f"{lost} messages between {introduced.local_node} and {introduced.alias} held "
                "terms of a kind that erlconnect does not know: node names behind them "
                "were left as they came"
            )


def link_names(introduced: HandshakeResult) -> dict[str, str]:
    """Return what the local node's names become on the way to the remote one."""
    try:
        return permutation(
            [
                (introduced.alias, introduced.node),
                (introduced.local_node, introduced.caller_name),
                *introduced.neighbours,
            ]
        )
    except ValueError as error:
        raise NameInUseError(
            f"{introduced.local_node} and {introduced.alias} would have the same name: {error}",
            remedy="Give the alias another name with `--as`, or restart the local node under one.",
        ) from error


def link_up(introduced: HandshakeResult) -> LinkEvent:
    """Return the event of a handshake that has just ended."""
    return LinkEvent(
        kind="link-up",
        alias=introduced.alias,
        node=introduced.node,
        local_node=introduced.local_node,
        caller_name=introduced.caller_name,
    )


def link_progress(
    introduced: HandshakeResult, outward: Pump, inward: Pump, refused: int
) -> LinkEvent:
    """Return the event of a link that is up, with what both pumps have counted until now.

    They count in threads of their own. The numbers are read without a lock, because Python replaces
    an integer as a whole.
    """
    return replace(
        link_up(introduced),
        bytes_in=inward.bytes_read,
        bytes_out=outward.bytes_read,
        frames_in=inward.rewriter.frames,
        frames_out=outward.rewriter.frames,
        rewritten=inward.rewriter.rewritten + outward.rewriter.rewritten,
        refused=refused,
    )


def link_down(
    introduced: HandshakeResult, reason: str, outward: Pump, inward: Pump, refused: int
) -> LinkEvent:
    """Return the event of a link that is over, with what both pumps and the guard counted."""
    return replace(
        link_progress(introduced, outward, inward, refused), kind="link-down", reason=reason
    )


def _join(*pumps: Pump) -> None:
    for pump in pumps:
        if pump.ident:
            pump.join()
