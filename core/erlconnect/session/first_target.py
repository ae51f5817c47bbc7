"""The one target of a TARGET without ``--all``: the first that answers, or what replaces it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from erlconnect.session.aliased_target import AliasedTarget
    from erlconnect.session.aliases import Aliases
    from erlconnect.session.approach import Approached
    from erlconnect.session.service import Found, Service


class FirstTarget:
    """``find``, then ``stand``, then ``follow``."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._found: Found | None = None
        self._target: AliasedTarget | None = None

    async def find(self) -> None:
        """Find a target that answers, and its cookie. Raises ``ErlconnectError``."""
        self._service.progress(f"looking for {self._service.choices.service}")
        source, approached = await self._service.discovery.first_that_answers()
        self._service.progress(f"fetching the cookie of {approached.target.node}")
        self._found = await self._service.found(source, approached)

    async def stand(self, aliases: Aliases) -> None:
        """Give it its alias."""
        assert self._found  # noqa: S101 - found before
        self._target = await aliases.add(self._service, self._found, find_again=self._find_again)

    async def follow(self, aliases: Aliases) -> None:
        """Notice when it is not listed any more, where the backend sees that by itself."""
        del aliases  # it keeps its own, whatever comes
        assert self._target  # noqa: S101 - it stands
        await self._service.discovery.follow(self._target.followed.notice)

    async def _find_again(self) -> Approached:
        _, approached = await self._service.discovery.first_that_answers()
        return approached
