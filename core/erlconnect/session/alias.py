"""One alias while it runs: its listener, its links and the target behind it.

The alias outlives its target. ``TargetTracker`` dials the target where it was last, and looks for
what replaced it when it is not there; ``TransportLeases`` closes a transport that was replaced when
its last stream is closed; ``Backoff`` keeps a target that has just failed from being dialled again
at once.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from erlconnect.contract import disconnect_reason
from erlconnect.distribution.names import NodeName
from erlconnect.errors import (
    AnotherNodeError,
    ErlconnectError,
    LocalNodeError,
    NotDistributionError,
    TimedOutError,
)
from erlconnect.proxy.handshake import HandshakeConfig
from erlconnect.proxy.link import Link
from erlconnect.proxy.listener import MAX_CONNECTIONS
from erlconnect.redaction import redact, redacted_traceback
from erlconnect.session.discovery import target_key
from erlconnect.session.events import (
    AliasEntry,
    AliasStatus,
    Failed,
    LinkStatus,
    Refused,
    TargetLost,
    TargetReplaced,
    Warned,
)
from erlconnect.session.names import alias_for, alias_forms

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence

    from erlconnect.contract import Target
    from erlconnect.guard.link_guard import Refusal
    from erlconnect.hookspecs import LinkEvent
    from erlconnect.proxy.listener import Listener
    from erlconnect.session.config import TargetContext
    from erlconnect.session.connector import ConnectedTarget
    from erlconnect.session.events import Event

    PeerAliases = Callable[["Alias", str, str], Sequence[tuple[str, str]]]

# A link has 6 s for dialling and handshake; the rest is for finding what replaced the target.
_DIAL_SECONDS: Final = 4.0
_FIRST_PAUSE_SECONDS: Final = 0.1
# A local node waits 7 s in all (OTP's net_setuptime), and a dial and a search have to follow the
# pause within them.
_LONGEST_PAUSE_SECONDS: Final = 2.0
# After these, what listens at the target's address may not be the target any more.
_STALE_AFTER: Final = (AnotherNodeError, NotDistributionError, TimedOutError)


class Alias:
    """A registered name with its listener and its target: the ``RemoteSide`` of its links.

    ``find_again`` finds the target when it is not where it was. ``peer_aliases`` returns alias and
    real name of the other targets that a link to this one knows. ``on_lost`` learns why the target
    is gone; without it that is an event.
    """

    def __init__(
        self,
        name: str,
        connected: ConnectedTarget,
        listener: Listener,
        *,
        context: TargetContext,
        peer_aliases: PeerAliases,
        find_again: Callable[[Alias], Awaitable[ConnectedTarget]],
        on_lost: Callable[[Alias, str], None] | None = None,
        report: Callable[[Event | LinkEvent], None],
    ) -> None:
        self.name = name
        self.listener = listener
        self.context = context
        self.max_frame = context.config.settings.max_frame
        self.guard = context.config.guard
        self.links = 0
        """How many links are up."""
        self.keys = {target_key(connected.discovered)}
        """Under which keys the backend lists the target; mostly one."""
        self.missed = 0
        """How many discoveries in a row did not list it."""
        self.loss = ""
        """Why it did not answer the last time, where it did not."""
        self._handled: list[Link] = []
        self._serving: asyncio.Task[None] | None = None
        self._peer_aliases = peer_aliases
        self._report = report
        self._backoff = Backoff()
        self.tracker = self._tracker(connected, find_again, on_lost)
        listener.on_refusal = self._warn_of_limit

    def _tracker(
        self,
        connected: ConnectedTarget,
        find_again: Callable[[Alias], Awaitable[ConnectedTarget]],
        on_lost: Callable[[Alias, str], None] | None,
    ) -> TargetTracker:
        return TargetTracker(
            connected,
            find_again=lambda: find_again(self),
            group=self.context.group,
            on_moved=self._report_moved,
            on_lost=(lambda why: on_lost(self, why)) if on_lost else self.report_lost,
        )

    @property
    def long_name(self) -> str:
        """The alias as nodes with long names call it."""
        return alias_forms(self.name)[0]

    @property
    def connected(self) -> ConnectedTarget:
        """The target as it is now."""
        return self.tracker.current

    @property
    def node(self) -> str:
        """The real name of the target."""
        return str(self.connected.target.node)

    @property
    def length_size(self) -> int:
        """How many bytes the length of a handshake's frame has."""
        return self.connected.length_size

    def start(self, group: asyncio.TaskGroup) -> None:
        """Accept local nodes from now on; without effect if it does already."""
        if self._serving is None:
            self._serving = group.create_task(self.listener.serve(self.handle))

    async def stop(self) -> None:
        """End the links, the listener and the transport."""
        if self._serving:
            self._serving.cancel()
            await asyncio.wait([self._serving])
        self.listener.close()
        self.connected.close()

    async def handle(self, local: socket.socket) -> None:
        """Run one link; a link that never comes up is an ``error`` event, never an exception."""
        link: Link | None = None
        try:
            inbound = await self.context.acceptor.accept(local)
            link = Link(inbound.stream, self, length_size=inbound.length_size)
            self._handled.append(link)
            await link.run()
        except ErlconnectError as error:
            self._report_failed(link.local_node if link else "", error)
        except Exception as error:  # noqa: BLE001 - one link's bug must not end the others
            self._report_failed(link.local_node if link else "", _internal_error(error))
        finally:
            if link:
                self._handled.remove(link)
            # Not earlier: the link has closed its stream by now.
            self.tracker.link_ended()

    def entry(self) -> AliasEntry:
        """Return what ``ready`` says of it."""
        long_name, short_name, ipv6_name = alias_forms(self.name)
        return AliasEntry(
            alias=long_name,
            short_alias=short_name,
            ipv6_alias=ipv6_name,
            node=self.node,
            address=self.connected.target.address,
            dist_port=self.connected.port,
            local_port=self.listener.port,
            backend=self.context.config.backend.name,
            transport=self.connected.transport,
            cookie_source=self.connected.cookie_source,
            facts=self.connected.target.facts,
        )

    def status(self) -> AliasStatus:
        """Return what ``status`` says of it, with its links that are up."""
        # A link in its handshake has no counters yet.
        links = [
            LinkStatus(since=link.since, counted=link.so_far())
            for link in self._handled
            if link.so_far is not None
        ]
        return AliasStatus(entry=self.entry(), links=links)

    async def dial(self) -> socket.socket:
        """Dial the target, or what replaced it; not at once if that has just failed."""
        await self._backoff.wait()
        return await self.tracker.dial()

    def introduction(self) -> HandshakeConfig:
        """Return what a handshake with the present target follows."""
        target = self.connected.target
        callers = self.context.callers
        # Made anew for each handshake: the target and the aliases beside it may have changed.
        return HandshakeConfig(
            alias_for=lambda local_node: alias_for(self.name, local_node),
            caller_name_for=lambda local_node: callers.of(local_node, long=target.node.long),
            neighbours=lambda local_node, node: self._peer_aliases(self, local_node, node),
            cookies=self.connected.cookies,
            visible=self.context.config.visible,
            name=target.node.name,
            where=self.connected.where,
        )

    def link_up(self, event: LinkEvent) -> None:
        """Report it, and take over the node's name if its host has changed."""
        if event.node != self.node:
            # A restarted container has another host name and mostly the same address.
            target = replace(self.connected.target, node=NodeName.parse(event.node))
            self.tracker.set_current(replace(self.connected, target=target))
        self.tracker.mark_reachable()
        self._backoff.succeeded()
        self.links += 1
        self._report(event)

    def link_down(self, event: LinkEvent) -> None:
        """Report it."""
        self.links -= 1
        self._report(event)

    def refused(self, link: LinkEvent, refusal: Refusal) -> None:
        """Report a message of a link that was refused."""
        self._report(_refused(link, refusal))

    async def why_ended(self, stream: socket.socket) -> str:
        """Ask the transport."""
        return await self.tracker.disconnect_reason(stream)

    def warn(self, message: str) -> None:
        """Report a warning."""
        self._report(Warned(message=message))

    def report_lost(self, message: str) -> None:
        """Report that the target is gone."""
        self._report(TargetLost(alias=self.long_name, node=self.node, message=message))

    def _report_moved(self, before: ConnectedTarget) -> None:
        self._report(
            TargetReplaced(
                alias=self.long_name,
                old_node=str(before.target.node),
                node=self.node,
                address=self.connected.target.address,
                dist_port=self.connected.port,
            )
        )

    def _report_failed(self, local_node: str, error: ErlconnectError) -> None:
        # A local node's own fault says nothing of the target.
        if not isinstance(error, LocalNodeError):
            self._backoff.failed()
            if isinstance(error, _STALE_AFTER):
                self.tracker.mark_stale(error.message)
        alias = alias_for(self.name, local_node or self.long_name)
        self._report(Failed(error=error, alias=alias, local_node=local_node))

    def _warn_of_limit(self) -> None:
        self.warn(
            f"{self.long_name} has {MAX_CONNECTIONS} local connections, as many as one alias "
            "takes; further ones are closed at once: see which program keeps connecting"
        )


def _refused(link: LinkEvent, refusal: Refusal) -> Refused:
    asked, asking = link.node, link.local_node
    if refusal.direction == "inward":
        asked, asking = asking, asked
    return Refused(
        rule=refusal.rule,
        direction=refusal.direction,
        what=refusal.what,
        alias=link.alias,
        node=link.node,
        local_node=link.local_node,
        caller_name=link.caller_name,
        message=f"refused {refusal.what}, which {asking} wanted of {asked} (rule {refusal.rule})",
        remedy=refusal.remedy,
    )


class TargetTracker:
    """Follows the target of one alias; ``current`` is the target as it is now.

    ``on_moved`` gets the target before when it is another one; ``on_lost`` is called once each time
    that it is gone, with what was tried.
    """

    def __init__(
        self,
        connected: ConnectedTarget,
        *,
        find_again: Callable[[], Awaitable[ConnectedTarget]],
        group: asyncio.TaskGroup,
        on_moved: Callable[[ConnectedTarget], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self.current = connected
        self._find_again = find_again
        self._group = group
        self._on_moved = on_moved
        self._on_lost = on_lost
        self._search: asyncio.Task[ErlconnectError | None] | None = None
        self._lost = False
        self._stale_because = ""
        self._leases = TransportLeases()

    async def dial(self) -> socket.socket:
        """Dial the target; where that fails, look for what replaced it and dial that."""
        tried = self.current
        if self._stale_because:
            await self._search_once(tried, self._stale_because)
            tried = self.current
        try:
            async with asyncio.timeout(_DIAL_SECONDS):
                return await self._leases.dial(tried)
        except TimeoutError:
            await self._search_once(tried, f"{tried.where} did not answer in {_DIAL_SECONDS:g} s")
        except ErlconnectError as error:
            await self._search_once(tried, error.message)
        # The rest of the link's 6 s is the timeout of this one.
        return await self._leases.dial(self.current)

    async def disconnect_reason(self, stream: socket.socket) -> str:
        """Ask the transport that dialled ``stream``, which may have been replaced since."""
        connected = self._leases.of(stream)
        return await disconnect_reason(connected.dialer, stream) if connected else ""

    def link_ended(self) -> None:
        """Learn that a stream is closed, perhaps the last one of a transport that was replaced."""
        self._leases.close_unused()

    def mark_stale(self, why: str) -> None:
        """Have the target looked for before it is dialled again."""
        self._stale_because = why

    def mark_reachable(self) -> None:
        """Note that the target answers; the next loss is reported again."""
        self._lost = False

    def on_discovery(self, listed: Sequence[Target]) -> None:
        """Compare with what the backend lists now; one that is gone is looked for at the next dial.

        Links that are up go on: a directory may be wrong, and they work.
        """
        here = self.current.target
        # A backend that does not know the port lists none: then the address alone counts.
        places = {(one.address, one.dist_port or here.dist_port) for one in listed}
        if (here.address, here.dist_port) not in places:
            self.mark_stale(f"{self.current.where} is not listed any more")

    def set_current(self, connected: ConnectedTarget) -> None:
        """Use ``connected`` from now on; the cookies stay those that the alias began with."""
        before = self.current
        self.current = replace(
            connected, cookies=before.cookies, cookie_source=before.cookie_source
        )
        self.mark_reachable()
        self._stale_because = ""
        if before.where != connected.where:
            self._on_moved(before)

    def replace(self, connected: ConnectedTarget) -> None:
        """Use ``connected`` from now on, and release the transport before."""
        before = self.current
        self.set_current(connected)
        self._leases.release(before)

    async def _search_once(self, tried: ConnectedTarget, failure: str) -> None:
        """Look for the target again, once for all links that miss it at the same time."""
        if self.current is not tried:
            return
        if self._search is None or self._search.done():
            self._search = self._group.create_task(self._search_again(failure))
        # When the link that began the search runs out of time, the search goes on for the next one.
        error = await asyncio.shield(self._search)
        if error:
            raise error

    async def _search_again(self, failure: str) -> ErlconnectError | None:
        # An error is returned, not raised: raised in a task of the group it would end the session.
        try:
            found = await self._find_again()
        except ErlconnectError as error:
            if not self._lost:
                self._lost = True
                self._on_lost(f"{failure}; looking for it again: {error.message}")
            return error
        self.replace(found)
        return None


class TransportLeases:
    """The transports of one target, past and present, and the streams that were dialled by them.

    Closing a transport at once when its target is replaced would end the links that still use it.
    """

    def __init__(self) -> None:
        self._streams: dict[socket.socket, ConnectedTarget] = {}
        self._released: list[ConnectedTarget] = []

    async def dial(self, connected: ConnectedTarget) -> socket.socket:
        """Dial the target by its transport, as ``Dialer.dial``."""
        stream = await connected.dialer.dial(connected.port)
        self._streams[stream] = connected
        return stream

    def of(self, stream: socket.socket) -> ConnectedTarget | None:
        """Return the target for which ``stream`` was dialled."""
        return self._streams.get(stream)

    def release(self, connected: ConnectedTarget) -> None:
        """Close its transport as soon as all streams are closed that it carries."""
        self._released.append(connected)
        self.close_unused()

    def close_unused(self) -> None:
        """Forget streams that are closed, and close released transports that carry none."""
        # A closed socket has the descriptor -1.
        self._streams = {
            stream: connected for stream, connected in self._streams.items() if stream.fileno() >= 0
        }
        # By their dialers: a target whose name has changed since has the same transport.
        used = [connected.dialer for connected in self._streams.values()]
        for connected in self._released:
            if connected.dialer not in used:
                connected.close()
        self._released = [one for one in self._released if one.dialer in used]


class Backoff:
    """Pauses between dials; each failure after a pause doubles the next one.

    Erlang dials again at every message to a node that is not connected, some hundred times a
    second. Without a pause each dial would ask the name server and the platform's API.
    """

    def __init__(self) -> None:
        self._pause = _FIRST_PAUSE_SECONDS
        self._until = 0.0

    async def wait(self) -> None:
        """Return when the pause is over, at once if there is none."""
        await asyncio.sleep(self._until - _now())

    def failed(self) -> None:
        """Begin a pause, unless one runs."""
        now = _now()
        # What fails within a pause was dialled before it: it is the same failure.
        if now < self._until:
            return
        self._until = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)

    def succeeded(self) -> None:
        """End the pause; the next one is short again."""
        self._pause = _FIRST_PAUSE_SECONDS
        self._until = 0.0


def _now() -> float:
    return asyncio.get_running_loop().time()


def _internal_error(error: Exception) -> ErlconnectError:
    """Return our own bug as an error with exit code 1; the traceback goes to the log."""
    logging.getLogger("erlconnect").debug("%s", redacted_traceback(error))
    return ErlconnectError(
        redact(f"erlconnect itself failed: {type(error).__name__}: {error}"),
        remedy="This is a bug; run again with `-v` and report what it prints.",
    )
