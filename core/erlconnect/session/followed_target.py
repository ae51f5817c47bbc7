"""One target as it moves: dialled where it was last, looked for again when it is not there.

Refuses to know how it is looked for, and what its alias is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from erlconnect.errors import ErlconnectError
from erlconnect.session.carriers import Carriers
from erlconnect.session.endings import why_ended

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence

    from erlconnect.api import Target
    from erlconnect.session.approach import Approached

# Of the 6 s that a link has, the rest is for finding what replaced the target.
_DIAL_SECONDS: Final = 4.0


class FollowedTarget:
    """``approached`` is the target as it is now.

    ``tell_moved`` is told when it is another one, with the one before; ``tell_lost`` once each time
    that it is gone, with what was tried.
    """

    def __init__(
        self,
        approached: Approached,
        *,
        find_again: Callable[[], Awaitable[Approached]],
        group: asyncio.TaskGroup,
        tell_moved: Callable[[Approached], None],
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
        self._carriers = Carriers()

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
        return await why_ended(way.dialer, stream) if way else ""

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

    def adopt(self, found: Approached) -> None:
        """Take ``found`` for the target from now on."""
        before, self.approached = self.approached, found
        self.is_there()
        self._doubt = ""
        if before.where != found.where:
            self._tell_moved(before)

    def move_to(self, found: Approached) -> None:
        """Take ``found`` for the target, and leave the way to where it was."""
        before = self.approached
        self.adopt(found)
        self._carriers.leave(before)

    def is_there(self) -> None:
        """Learn that it answers; its next loss is news again."""
        self._lost = False

    async def _replace(self, tried: Approached, failure: str) -> None:
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
