"""All targets of a TARGET with ``--all``, each with an alias, as they come and go.

Knows how what the backend lists is compared with what stands. A lookup that failed changes
nothing; an alias with links that are up stays, because a directory's word ends no connection.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.errors import ErlconnectError, NoNodeFoundError
from erlconnect.session.newcomers import Newcomers, Place, place_of
from erlconnect.streams.waiting import set_within

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Target
    from erlconnect.session.aliased_target import AliasedTarget
    from erlconnect.session.aliases import Aliases
    from erlconnect.session.approach import Approached
    from erlconnect.session.service import Found, Service

# How seldom a backend is asked again that does not answer, unless it is even more seldom anyway.
_LONGEST_PAUSE_SECONDS: Final = 60.0
_SHORTEST_PAUSE_SECONDS: Final = 1.0
# How often to see whether links have ended, and whether a target answers by now.
_WAITING_SECONDS: Final = 5.0
# One answer without an instance may be a partial one.
_MISSED_ANSWERS: Final = 2


@dataclass(slots=True, kw_only=True)
class _Instance:
    """``places`` are where it is listed, mostly one; ``missed`` how often it was not, lately."""

    places: set[Place]
    target: AliasedTarget
    missed: int = 0
    loss: str = ""


class Instances:
    """``find``, then ``stand``, then ``follow``."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._newcomers = Newcomers(service)
        self._found: list[Found] = []
        self._standing: list[_Instance] = []
        self._listed: Sequence[Target] = ()
        self._watched = False
        self._hurry = asyncio.Event()
        self._usual = float(service.choices.options.session.look_again)
        self._pause, self._said = self._usual, ""

    async def find(self) -> None:
        """Find all that answer. Raises ``ErlconnectError`` if none does."""
        self._service.progress(f"looking for all of {self._service.choices.service}")
        self._take(await self._service.discovery.targets())
        self._found = await self._newcomers.first(self._listed)

    async def stand(self, aliases: Aliases) -> None:
        """Give each its alias."""
        for found in self._found:
            if not self._known(found):
                await self._add(aliases, found)

    async def follow(self, aliases: Aliases) -> None:
        """Give aliases to instances that come, and take them from those that are gone."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._compare_for_ever(aliases))

    async def _watch(self) -> None:
        await self._service.discovery.follow(self._notice)
        self._watched = False

    def _notice(self, listed: Sequence[Target]) -> None:
        self._watched = True
        self._take(listed)
        self._hurry.set()

    async def _compare_for_ever(self, aliases: Aliases) -> None:
        loop = asyncio.get_running_loop()
        look = loop.time() + self._usual
        while True:
            waiting = self._newcomers.waiting or any(one.missed for one in self._standing)
            until = min(look, loop.time() + _WAITING_SECONDS) if waiting else look
            hurried = await set_within(self._hurry, until - loop.time())
            if hurried or loop.time() >= look:
                look = loop.time() + await self._look()
            self._hurry.clear()
            await self._compare(aliases)
            await asyncio.sleep(_SHORTEST_PAUSE_SECONDS)

    async def _look(self) -> float:
        """Ask the backend, unless it tells by itself; give the pause until the next time."""
        try:
            if not self._watched:
                self._take(await self._service.discovery.targets())
        except ErlconnectError as error:
            self._pause = max(self._usual, min(2 * self._pause, _LONGEST_PAUSE_SECONDS))
            if self._said != error.message:
                self._said = error.message
                self._service.warn(f"all aliases stay as they are: {self._said}")
        else:
            self._pause, self._said = self._usual, ""
        return self._pause

    def _take(self, listed: Sequence[Target]) -> None:
        places = {place_of(target): target for target in listed}
        self._listed = list(places.values())
        for one in self._standing:
            one.missed = one.missed + 1 if one.places.isdisjoint(places) else 0

    async def _compare(self, aliases: Aliases) -> None:
        known = {place for one in self._standing for place in one.places}
        new = [target for target in self._listed if place_of(target) not in known]
        found = await self._newcomers.answering(new)
        await self._welcome(aliases, [one for one in found if not self._known(one)])
        enough = 1 if self._watched else _MISSED_ANSWERS
        for one in list(self._standing):
            if one.missed >= enough and not one.target.links:
                await self._part(aliases, one)

    def _known(self, found: Found) -> bool:
        """Say whether it has an alias: one that is listed twice, or is listed elsewhere now."""
        place, approached = place_of(found.source), found.approached
        for one in self._standing:
            if one.target.approached.where == approached.where:
                one.places.add(place)
                approached.close()
                return True
        # Only now: several may have this name, and one that stands may have this address.
        for one in self._standing:
            if one.missed and one.target.node == str(approached.target.node):
                one.places, one.missed = {place}, 0
                one.target.followed.move_to(approached)
                return True
        return False

    async def _welcome(self, aliases: Aliases, found: Sequence[Found]) -> None:
        if not found:
            return
        links = sum(one.target.links for one in self._standing)
        new = [await self._add(aliases, one) for one in found]
        aliases.serve()
        if links:
            self._service.warn(
                f"new: {', '.join(target.alias for target in new)}; links that are up ({links}) do "
                "not know these names, a local node that connects again does"
            )

    async def _add(self, aliases: Aliases, found: Found) -> AliasedTarget:
        target = await aliases.add(
            self._service,
            found,
            find_again=lambda: self._find_again(instance),
            tell_lost=lambda message: self._miss(instance, message),
        )
        instance = _Instance(places={place_of(found.source)}, target=target)
        self._standing.append(instance)
        return target

    async def _part(self, aliases: Aliases, one: _Instance) -> None:
        self._standing.remove(one)
        await aliases.remove(one.target)
        where = one.target.approached.where
        one.target.tell_lost(one.loss or f"{where} is not listed any more")

    def _miss(self, one: _Instance, message: str) -> None:
        """Remember why one does not answer, and look whether it is still listed."""
        one.loss = message
        self._hurry.set()

    async def _find_again(self, one: _Instance) -> Approached:
        """Look for an instance where it is listed now: at its place, or under its name."""
        others = {place for other in self._standing if other is not one for place in other.places}
        listed = await self._service.discovery.targets()
        here = [target for target in listed if place_of(target) in one.places]
        named = [
            target
            for target in listed
            if str(target.node) == one.target.node and place_of(target) not in others
        ]
        if not here + named:
            raise NoNodeFoundError(
                f"{one.target.node} is not listed any more",
                remedy="Connect to another alias; this one is given back soon.",
            )
        source = (here + named)[0]
        approached = await self._service.approach.approach(source)
        one.places, one.missed = {place_of(source)}, 0
        return approached
