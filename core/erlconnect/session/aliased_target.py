"""One alias and the target behind it, as the links of the alias see them.

The alias outlives its target: what replaced it is the business of ``followed_target``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from erlconnect.api import NodeName
from erlconnect.errors import (
    AnotherNodeError,
    ErlconnectError,
    LocalNodeError,
    NotDistributionError,
    TimedOutError,
)
from erlconnect.proxy.introduction import Introduction
from erlconnect.proxy.link import Link
from erlconnect.session.alias_events import entry, lost, replaced
from erlconnect.session.events import Failed, Warned
from erlconnect.session.followed_target import FollowedTarget
from erlconnect.session.local_names import alias_for, alias_forms
from erlconnect.session.patience import Patience
from erlconnect.session.status import AliasStatus, LinkStatus
from erlconnect.session.unexpected import unexpected

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence

    from erlconnect.hookspecs import LinkEvent
    from erlconnect.session.approach import Approached
    from erlconnect.session.events import Event
    from erlconnect.session.service import Found, Service

    Neighbours = Callable[["AliasedTarget", str, str], Sequence[tuple[str, str]]]

# After these, whatever listens at the target's address may not be the target any more.
_DOUBTFUL: Final = (AnotherNodeError, NotDistributionError, TimedOutError)


class AliasedTarget:
    """What ``proxy.link`` calls a remote side.

    ``find_again`` looks for the target when it is not where it was. ``neighbours`` gives the names
    of the other targets that a link to this one knows.
    """

    def __init__(
        self,
        name: str,
        found: Found,
        *,
        service: Service,
        neighbours: Neighbours,
        find_again: Callable[[], Awaitable[Approached]],
        tell_lost: Callable[[str], None] | None = None,
        report: Callable[[Event | LinkEvent], None],
    ) -> None:
        self.name = name
        self.service = service
        self.max_frame = service.choices.options.session.max_frame
        self.links = 0
        """How many links are up."""
        self._handled: list[Link] = []
        self._cookies = found.cookies
        self.cookie_source = found.cookie_source
        self._neighbours = neighbours
        self._report = report
        self._patience = Patience()
        self.followed = FollowedTarget(
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
    def approached(self) -> Approached:
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
            self._tell_refused(link.local_node if link else "", unexpected(error))
        finally:
            if link:
                self._handled.remove(link)
            self.followed.link_ended()

    def status(self, local_port: int) -> AliasStatus:
        """Give what is to be told of it now."""
        links = [
            LinkStatus(since=link.since, counted=link.so_far())
            for link in self._handled
            if link.so_far is not None
        ]
        return AliasStatus(entry=entry(self, local_port), links=links)

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

    def introduction(self) -> Introduction:
        """Give what a handshake with the present target follows."""
        target = self.approached.target
        callers = self.service.callers
        return Introduction(
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

    async def why_ended(self, stream: socket.socket) -> str:
        """Ask the transport."""
        return await self.followed.why_ended(stream)

    def warn(self, message: str) -> None:
        """Report it."""
        self._report(Warned(message=message))

    def tell_lost(self, message: str) -> None:
        """Report that the target is gone."""
        self._report(lost(self, message))

    def _tell_moved(self, before: Approached) -> None:
        self._report(replaced(self, before))
