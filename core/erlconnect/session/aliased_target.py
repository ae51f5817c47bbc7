"""One alias and the target behind it, as the links of the alias see them.

The alias outlives its target: when dialling fails, the target is looked for again, and the link
that waits, or the next one, reaches what replaced it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from erlconnect.errors import ErlconnectError
from erlconnect.proxy.handshake import Introduction
from erlconnect.proxy.link import Link
from erlconnect.session.events import Failed, TargetLost, TargetReplaced, Warned
from erlconnect.session.local_names import alias_for, alias_forms
from erlconnect.session.unexpected import unexpected

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from erlconnect.hookspecs import LinkEvent
    from erlconnect.proxy.handshake import Cookies
    from erlconnect.session.approach import Approached
    from erlconnect.session.discovery import Discovery
    from erlconnect.session.events import Event
    from erlconnect.session.local_names import CallerNames


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
        self._searching = asyncio.Lock()
        self._lost = False

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
            self._report(Failed(error=error, alias=self.alias, local_node=link.local_node))
        except Exception as error:  # noqa: BLE001 - one link's bug must not end the others
            failed = unexpected(error)
            self._report(Failed(error=failed, alias=self.alias, local_node=link.local_node))

    async def dial(self) -> socket.socket:
        """Dial the target; where that fails, look for what replaced it and dial that."""
        tried = self.approached
        try:
            return await tried.dialer.dial(tried.port)
        except ErlconnectError as error:
            await self._replace(tried, error)
            return await self.approached.dialer.dial(self.approached.port)

    def introduction(self) -> Introduction:
        """Give what a handshake with the present target follows."""
        long = self.approached.target.node.long
        return Introduction(
            alias_for=lambda local_node: alias_for(self.name, local_node),
            caller_name_for=lambda local_node: self._callers.of(local_node, long=long),
            cookies=self._cookies,
            visible=self._visible,
            where=self.approached.where,
        )

    def link_up(self, event: LinkEvent) -> None:
        """Report it."""
        self._report(event)

    def link_down(self, event: LinkEvent) -> None:
        """Report it."""
        self._report(event)

    def warn(self, message: str) -> None:
        """Report it."""
        self._report(Warned(message=message))

    async def _replace(self, tried: Approached, error: ErlconnectError) -> None:
        """Look for the target again, once for all links that miss it at the same time."""
        async with self._searching:
            if self.approached is not tried:
                return
            try:
                found = await self._discovery.first_that_answers()
            except ErlconnectError as failure:
                self._tell_lost(error, failure)
                raise
            self.approached = found
            tried.close()
            self._lost = False
            self._report(
                TargetReplaced(
                    alias=self.alias,
                    old_node=str(tried.target.node),
                    node=str(found.target.node),
                    address=found.target.address,
                    dist_port=found.port,
                )
            )

    def _tell_lost(self, error: ErlconnectError, failure: ErlconnectError) -> None:
        if not self._lost:
            self._lost = True
            message = f"{error.message}; looking for it again: {failure.message}"
            node = str(self.approached.target.node)
            self._report(TargetLost(alias=self.alias, node=node, message=message))
