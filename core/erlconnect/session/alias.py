"""One alias and the target behind it, as the links of the alias see them.

The alias outlives its target: what replaced it is the business of ``followed_target``.

One target as it moves: dialled where it was last, looked for again when it is not there.

Refuses to know how it is looked for, and what its alias is.

Which transport carries which stream, so that one that was left ends no link that uses it.

How long a target that has just failed is left alone.

Erlang dials again at every message to a node that is away, some hundred times a second. Without a
pause every one of them would ask the name server, the platform's API or the node's own log.

What is told of an alias: its entry in ``ready``, and what becomes of its target.

Exceptions that nobody foresaw, as errors for people.
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
from erlconnect.redaction import redact, redacted_traceback
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
    from erlconnect.session.config import DiscoveredTarget, TargetContext
    from erlconnect.session.connector import ConnectedTarget
    from erlconnect.session.events import Event

    Neighbours = Callable[["Alias", str, str], Sequence[tuple[str, str]]]


class TransportLeases:
    """The transports of one target, past and present, and the streams that were dialled by them."""

    def __init__(self) -> None:
        self._streams: dict[socket.socket, ConnectedTarget] = {}
        self._left: list[ConnectedTarget] = []

    async def dial(self, approached: ConnectedTarget) -> socket.socket:
        """Dial the target by its transport, as ``Dialer.dial``."""
        stream = await approached.dialer.dial(approached.port)
        self._streams[stream] = approached
        return stream

    def of(self, stream: socket.socket) -> ConnectedTarget | None:
        """Return the way by which ``stream`` was dialled."""
        return self._streams.get(stream)

    def leave(self, approached: ConnectedTarget) -> None:
        """Close its transport as soon as all streams are closed that it carries."""
        self._left.append(approached)
        self.sweep()

    def sweep(self) -> None:
        """Forget the streams that are closed, and close what carries none any more."""
        self._streams = {
            stream: way for stream, way in self._streams.items() if stream.fileno() >= 0
        }
        # A target whose name has changed since is the same way.
        used = [way.dialer for way in self._streams.values()]
        for way in self._left:
            if way.dialer not in used:
                way.close()
        self._left = [way for way in self._left if way.dialer in used]


# Of the 6 s that a link has, the rest is for finding what replaced the target.
_DIAL_SECONDS: Final = 4.0


class TargetTracker:
    """``approached`` is the target as it is now.

    ``tell_moved`` is told when it is another one, with the one before; ``tell_lost`` once each time
    that it is gone, with what was tried.
    """

    def __init__(
        self,
        approached: ConnectedTarget,
        *,
        find_again: Callable[[], Awaitable[ConnectedTarget]],
        group: asyncio.TaskGroup,
        tell_moved: Callable[[ConnectedTarget], None],
        tell_lost: Callable[[str], None],
    ) -> None:
        self.approached = approached
        self._find_again = find_again
        self._group = group
        self._tell_moved = tell_moved
        self._tell_lost = tell_lost
        self._search: asyncio.Task[ErlconnectError | None] | None = None
        self._lost = False
        self._doubt = ""
        self._carriers = TransportLeases()

    async def dial(self) -> socket.socket:
        """Dial the target; where that fails, look for what replaced it and dial that."""
        tried = self.approached
        if self._doubt:
            await self._replace(tried, self._doubt)
            tried = self.approached
        try:
            async with asyncio.timeout(_DIAL_SECONDS):
                return await self._carriers.dial(tried)
        except TimeoutError:
            await self._replace(tried, f"{tried.where} did not answer in {_DIAL_SECONDS:g} s")
        except ErlconnectError as error:
            await self._replace(tried, error.message)
        return await self._carriers.dial(self.approached)

    async def why_ended(self, stream: socket.socket) -> str:
        """Ask the transport that dialled ``stream``, which may have been left since."""
        way = self._carriers.of(stream)
        return await disconnect_reason(way.dialer, stream) if way else ""

    def link_ended(self) -> None:
        """Learn that a stream is closed, perhaps the last one of a transport that was left."""
        self._carriers.sweep()

    def doubt(self, why: str) -> None:
        """Have it looked for before it is dialled again."""
        self._doubt = why

    def notice(self, found: Sequence[Target]) -> None:
        """Compare with what the backend lists now; one that is gone is looked for at the next dial.

        Links that are up go on: a directory's word ends no connection that works.
        """
        here = self.approached.target
        places = {(one.address, one.dist_port or here.dist_port) for one in found}
        if (here.address, here.dist_port) not in places:
            self.doubt(f"{self.approached.where} is not listed any more")

    def adopt(self, found: ConnectedTarget) -> None:
        """Take ``found`` for the target from now on."""
        before, self.approached = self.approached, found
        self.is_there()
        self._doubt = ""
        if before.where != found.where:
            self._tell_moved(before)

    def move_to(self, found: ConnectedTarget) -> None:
        """Take ``found`` for the target, and leave the way to where it was."""
        before = self.approached
        self.adopt(found)
        self._carriers.leave(before)

    def is_there(self) -> None:
        """Learn that it answers; its next loss is news again."""
        self._lost = False

    async def _replace(self, tried: ConnectedTarget, failure: str) -> None:
        """Look for the target again, once for all links that miss it at the same time.

        The search goes on when the link that began it has run out of time, for the next one.
        """
        if self.approached is not tried:
            return
        if self._search is None or self._search.done():
            self._search = self._group.create_task(self._search_again(failure))
        error = await asyncio.shield(self._search)
        if error:
            raise error

    async def _search_again(self, failure: str) -> ErlconnectError | None:
        try:
            found = await self._find_again()
        except ErlconnectError as error:
            if not self._lost:
                self._lost = True
                self._tell_lost(f"{failure}; looking for it again: {error.message}")
            return error
        self.move_to(found)
        return None


_FIRST_SECONDS: Final = 0.1
# A local node waits 7 s in all, and a dial and a search have to fit in behind the pause.
_LONGEST_SECONDS: Final = 2.0


class Backoff:
    """Doubles the pause with each failure behind the one before; ``succeeded`` ends it."""

    def __init__(self) -> None:
        self._pause = _FIRST_SECONDS
        self._until = 0.0

    async def wait(self) -> None:
        """Return when the pause is over, at once if there is none."""
        await asyncio.sleep(self._until - _now())

    def failed(self) -> None:
        """Begin a pause. Whatever fails in it had begun before, and counts as the same failure."""
        now = _now()
        if now < self._until:
            return
        self._until = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_SECONDS)

    def succeeded(self) -> None:
        """End the pause, and begin with a short one next time."""
        self._pause = _FIRST_SECONDS
        self._until = 0.0


def _now() -> float:
    return asyncio.get_running_loop().time()


def alias_entry(target: Alias, local_port: int) -> AliasEntry:
    """Return what ``ready`` tells of it."""
    alias, short_alias, ipv6_alias = alias_forms(target.name)
    return AliasEntry(
        alias=alias,
        short_alias=short_alias,
        ipv6_alias=ipv6_alias,
        node=target.node,
        address=target.approached.target.address,
        dist_port=target.approached.port,
        local_port=local_port,
        backend=target.service.choices.backend,
        transport=target.approached.transport,
        cookie_source=target.cookie_source,
        facts=target.approached.target.facts,
    )


def target_lost(target: Alias, message: str) -> TargetLost:
    """Tell that the target is gone."""
    return TargetLost(alias=target.alias, node=target.node, message=message)


def refused(link: LinkEvent, refusal: Refusal) -> Refused:
    """Tell that a message did not pass."""
    asked, asking = (
        (link.node, link.local_node)
        if refusal.direction == "outward"
        else (link.local_node, link.node)
    )
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


def target_replaced(target: Alias, before: ConnectedTarget) -> TargetReplaced:
    """Tell that the alias stands for another target than ``before``."""
    return TargetReplaced(
        alias=target.alias,
        old_node=str(before.target.node),
        node=target.node,
        address=target.approached.target.address,
        dist_port=target.approached.port,
    )


def internal_error(error: Exception) -> ErlconnectError:
    """Return our own bug as an error with exit code 1; the traceback goes to the log."""
    logging.getLogger("erlconnect").debug("%s", redacted_traceback(error))
    return ErlconnectError(
        redact(f"erlconnect itself failed: {type(error).__name__}: {error}"),
        remedy="This is a bug; run again with `-v` and report what it prints.",
    )


# After these, whatever listens at the target's address may not be the target any more.
_DOUBTFUL: Final = (AnotherNodeError, NotDistributionError, TimedOutError)


class Alias:
    """What ``proxy.link`` calls a remote side.

    ``find_again`` looks for the target when it is not where it was. ``neighbours`` gives the names
    of the other targets that a link to this one knows.
    """

    def __init__(
        self,
        name: str,
        found: DiscoveredTarget,
        *,
        service: TargetContext,
        neighbours: Neighbours,
        find_again: Callable[[], Awaitable[ConnectedTarget]],
        tell_lost: Callable[[str], None] | None = None,
        report: Callable[[Event | LinkEvent], None],
    ) -> None:
        self.name = name
        self.service = service
        self.max_frame = service.choices.options.session.max_frame
        self.guard = service.choices.guard
        self.links = 0
        """How many links are up."""
        self._handled: list[Link] = []
        self._cookies = found.cookies
        self.cookie_source = found.cookie_source
        self._neighbours = neighbours
        self._report = report
        self._patience = Backoff()
        self.followed = TargetTracker(
            found.approached,
            find_again=find_again,
            group=service.group,
            tell_moved=self._tell_moved,
            tell_lost=tell_lost or self.tell_lost,
        )

    @property
    def alias(self) -> str:
        """The alias as nodes with long names call it."""
        return alias_forms(self.name)[0]

    @property
    def approached(self) -> ConnectedTarget:
        """The target as it is now."""
        return self.followed.approached

    @property
    def node(self) -> str:
        """The real name of the target."""
        return str(self.approached.target.node)

    @property
    def length_size(self) -> int:
        """How many bytes the length of a handshake's frame has."""
        return self.approached.length_size

    async def handle(self, local: socket.socket) -> None:
        """Run one link; a link that never comes up is an ``error`` event, never an exception."""
        link: Link | None = None
        try:
            let_in = await self.service.door.let_in(local)
            link = Link(let_in.stream, self, length_size=let_in.length_size)
            self._handled.append(link)
            await link.run()
        except ErlconnectError as error:
            self._tell_refused(link.local_node if link else "", error)
        except Exception as error:  # noqa: BLE001 - one link's bug must not end the others
            self._tell_refused(link.local_node if link else "", internal_error(error))
        finally:
            if link:
                self._handled.remove(link)
            self.followed.link_ended()

    def status(self, local_port: int) -> AliasStatus:
        """Return what is to be told of it now."""
        links = [
            LinkStatus(since=link.since, counted=link.so_far())
            for link in self._handled
            if link.so_far is not None
        ]
        return AliasStatus(entry=alias_entry(self, local_port), links=links)

    def _tell_refused(self, local_node: str, error: ErlconnectError) -> None:
        if not isinstance(error, LocalNodeError):
            self._patience.failed()
            if isinstance(error, _DOUBTFUL):
                self.followed.doubt(error.message)
        alias = alias_for(self.name, local_node or self.alias)
        self._report(Failed(error=error, alias=alias, local_node=local_node))

    async def dial(self) -> socket.socket:
        """Dial the target, or what replaced it; not at once if that has just failed."""
        await self._patience.wait()
        return await self.followed.dial()

    def introduction(self) -> HandshakeConfig:
        """Return what a handshake with the present target follows."""
        target = self.approached.target
        callers = self.service.callers
        return HandshakeConfig(
            alias_for=lambda local_node: alias_for(self.name, local_node),
            caller_name_for=lambda local_node: callers.of(local_node, long=target.node.long),
            neighbours=lambda local_node, node: self._neighbours(self, local_node, node),
            cookies=self._cookies,
            visible=self.service.choices.visible,
            name=target.node.name,
            where=self.approached.where,
        )

    def link_up(self, event: LinkEvent) -> None:
        """Report it; a node that has changed its host, as a restarted container does, too."""
        if event.node != self.node:
            target = replace(self.approached.target, node=NodeName.parse(event.node))
            self.followed.adopt(replace(self.approached, target=target))
        self.followed.is_there()
        self._patience.succeeded()
        self.links += 1
        self._report(event)

    def link_down(self, event: LinkEvent) -> None:
        """Report it."""
        self.links -= 1
        self._report(event)

    def refused(self, link: LinkEvent, refusal: Refusal) -> None:
        """Report a message of a link that was refused."""
        self._report(refused(link, refusal))

    async def why_ended(self, stream: socket.socket) -> str:
        """Ask the transport."""
        return await self.followed.why_ended(stream)

    def warn(self, message: str) -> None:
        """Report it."""
        self._report(Warned(message=message))

    def tell_lost(self, message: str) -> None:
        """Report that the target is gone."""
        self._report(target_lost(self, message))

    def _tell_moved(self, before: ConnectedTarget) -> None:
        self._report(target_replaced(self, before))
