"""One alias and the target behind it, as the links of the alias see them.

The alias outlives its target: when dialling fails, the target is looked for again, and the link
that waits, or the next one, reaches what replaced it.
"""

from __future__ import annotations

import asyncio
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
from erlconnect.proxy.handshake import Introduction
from erlconnect.proxy.link import Link
from erlconnect.session.endings import why_ended
from erlconnect.session.events import Failed, TargetLost, TargetReplaced, Warned
from erlconnect.session.local_names import alias_for, alias_forms
from erlconnect.session.unexpected import unexpected

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from erlconnect.api import Target
    from erlconnect.hookspecs import LinkEvent
    from erlconnect.proxy.handshake import Cookies
    from erlconnect.session.approach import Approached
    from erlconnect.session.discovery import Discovery
    from erlconnect.session.events import Event
    from erlconnect.session.local_names import CallerNames

# Of the 6 s that a link has, the rest is for finding what replaced the target.
_DIAL_SECONDS: Final = 4.0

# After these, whatever listens at the target's address may not be the target any more.
_DOUBTFUL: Final = (AnotherNodeError, NotDistributionError, TimedOutError)


class AliasedTarget:
    """What ``proxy.link`` calls a remote side."""

    def __init__(
        self,
        name: str,
        approached: Approached,
        *,
        discovery: Discovery,
        callers: CallerNames,
        cookies: Cookies | None,
        visible: bool,
        max_frame: int,
        group: asyncio.TaskGroup,
        report: Callable[[Event | LinkEvent], None],
    ) -> None:
        self.name = name
        self.approached = approached
        self.max_frame = max_frame
        self._discovery = discovery
        self._callers = callers
        self._cookies = cookies
        self._visible = visible
        self._report = report
        self._group = group
        self._search: asyncio.Task[ErlconnectError | None] | None = None
        self._lost = False
        self._doubt = ""

    @property
    def alias(self) -> str:
        """The alias as nodes with long names call it."""
        return alias_forms(self.name)[0]

    async def handle(self, local: socket.socket) -> None:
        """Run one link; a link that never comes up is an ``error`` event, never an exception."""
        link = Link(local, self)
        try:
            await link.run()
        except ErlconnectError as error:
            self._tell_refused(link, error)
        except Exception as error:  # noqa: BLE001 - one link's bug must not end the others
            self._tell_refused(link, unexpected(error))

    def _tell_refused(self, link: Link, error: ErlconnectError) -> None:
        if isinstance(error, _DOUBTFUL) and not isinstance(error, LocalNodeError):
            self._doubt = error.message
        alias = alias_for(self.name, link.local_node or self.alias)
        self._report(Failed(error=error, alias=alias, local_node=link.local_node))

    async def dial(self) -> socket.socket:
        """Dial the target; where that fails, look for what replaced it and dial that."""
        tried = self.approached
        if self._doubt:
            await self._replace(tried, self._doubt)
            tried = self.approached
        try:
            async with asyncio.timeout(_DIAL_SECONDS):
                return await tried.dialer.dial(tried.port)
        except TimeoutError:
            await self._replace(tried, f"{tried.where} did not answer in {_DIAL_SECONDS:g} s")
        except ErlconnectError as error:
            await self._replace(tried, error.message)
        return await self.approached.dialer.dial(self.approached.port)

    def notice(self, found: Sequence[Target]) -> None:
        """Compare with what the backend lists now; one that is gone is looked for at the next dial.

        Links that are up go on: a directory's word ends no connection that works.
        """
        here = self.approached.target
        places = {(one.address, one.dist_port or here.dist_port) for one in found}
        if (here.address, here.dist_port) not in places:
            self._doubt = f"{self.approached.where} is not listed any more"

    def introduction(self) -> Introduction:
        """Give what a handshake with the present target follows."""
        long = self.approached.target.node.long
        return Introduction(
            alias_for=lambda local_node: alias_for(self.name, local_node),
            caller_name_for=lambda local_node: self._callers.of(local_node, long=long),
            cookies=self._cookies,
            visible=self._visible,
            name=self.approached.target.node.name,
            where=self.approached.where,
        )

    def link_up(self, event: LinkEvent) -> None:
        """Report it; a node that has changed its host, as a restarted container does, too."""
        approached = self.approached
        if event.node != str(approached.target.node):
            target = replace(approached.target, node=NodeName.parse(event.node))
            self._adopt(replace(approached, target=target))
        # It may have come back where it was; its next loss is news again.
        self._lost = False
        self._report(event)

    def link_down(self, event: LinkEvent) -> None:
        """Report it."""
        self._report(event)

    async def why_ended(self, stream: socket.socket) -> str:
        """Ask the transport."""
        return await why_ended(self.approached.dialer, stream)

    def warn(self, message: str) -> None:
        """Report it."""
        self._report(Warned(message=message))

    async def _replace(self, tried: Approached, failure: str) -> None:
        """Look for the target again, once for all links that miss it at the same time.

        The search goes on when the link that began it has run out of time, for the next one.
        """
        if self.approached is not tried:
            return
        if self._search is None or self._search.done():
            self._search = self._group.create_task(self._search_again(tried, failure))
        error = await asyncio.shield(self._search)
        if error:
            raise error

    async def _search_again(self, tried: Approached, failure: str) -> ErlconnectError | None:
        try:
            found = await self._discovery.first_that_answers()
        except ErlconnectError as error:
            self._tell_lost(f"{failure}; looking for it again: {error.message}")
            return error
        self._adopt(found)
        tried.close()
        return None

    def _adopt(self, found: Approached) -> None:
        """Let the alias stand for ``found``, and say so if it is not what it was."""
        before, self.approached = self.approached, found
        self._lost = False
        self._doubt = ""
        if before.where != found.where:
            self._report(
                TargetReplaced(
                    alias=self.alias,
                    old_node=str(before.target.node),
                    node=str(found.target.node),
                    address=found.target.address,
                    dist_port=found.port,
                )
            )

    def _tell_lost(self, message: str) -> None:
        """Say once that the target is gone, however often somebody dials it meanwhile."""
        if not self._lost:
            self._lost = True
            node = str(self.approached.target.node)
            self._report(TargetLost(alias=self.alias, node=node, message=message))
