"""The one target of a TARGET without ``--all``: the first that answers, or what replaces it.

All targets of a TARGET with ``--all``, each with an alias, as they come and go.

Knows how what the backend lists is compared with what stands. A lookup that failed changes
nothing; an alias with links that are up stays, because a directory's word ends no connection.

Which of the targets that a backend lists answer: knocked on a few at a time, told once.

One that did not answer is tried again, ever more seldom.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from erlconnect.errors import ErlconnectError, NoNodeFoundError, SeveralNodesError
from erlconnect.net.sockets import set_within
from erlconnect.session.discovery import none_answered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.contract import Target
    from erlconnect.session.alias import Alias
    from erlconnect.session.alias_registry import AliasRegistry
    from erlconnect.session.config import DiscoveredTarget, TargetContext
    from erlconnect.session.connector import ConnectedTarget


class SingleTarget:
    """``find``, then ``stand``, then ``follow``."""

    def __init__(self, service: TargetContext) -> None:
        self._service = service
        self._found: DiscoveredTarget | None = None
        self._target: Alias | None = None

    async def find(self) -> None:
        """Find a target that answers, and its cookie. Raises ``ErlconnectError``."""
        self._service.progress(f"looking for {self._service.choices.service}")
        source, approached = await self._service.discovery.first_that_answers()
        self._service.progress(f"fetching the cookie of {approached.target.node}")
        self._found = await self._service.found(source, approached)

    async def stand(self, aliases: AliasRegistry) -> None:
        """Give it its alias."""
        assert self._found  # noqa: S101 - found before
        self._target = await aliases.add(self._service, self._found, find_again=self._find_again)

    async def follow(self, aliases: AliasRegistry) -> None:
        """Notice when it is not listed any more, where the backend sees that by itself."""
        del aliases  # it keeps its own, whatever comes
        assert self._target  # noqa: S101 - it stands
        await self._service.discovery.follow(self._target.followed.notice)

    async def _find_again(self) -> ConnectedTarget:
        _, approached = await self._service.discovery.first_that_answers()
        return approached


TargetKey: TypeAlias = tuple[str, str, int | None, int]
_AT_ONCE: Final = 8
_FIRST_PROBE_PAUSE_SECONDS: Final = 5.0
_LONGEST_PROBE_PAUSE_SECONDS: Final = 120.0


def target_key(target: Target) -> TargetKey:
    """Return what tells targets apart as a backend lists them."""
    return str(target.node), target.address, target.dist_port, target.epmd_port


@dataclass(slots=True, kw_only=True)
class _Failure:
    message: str
    pause: float
    until: float


class CandidateProber:
    """Tries targets that have no alias."""

    def __init__(self, service: TargetContext) -> None:
        self._service = service
        self._failures: dict[TargetKey, _Failure] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    @property
    def waiting(self) -> bool:
        """Whether there are some that will be tried again."""
        return bool(self._failures)

    async def first(self, targets: Sequence[Target]) -> list[DiscoveredTarget]:
        """Return those that answer, in the same order. Raises ``ErlconnectError`` if none does."""
        tried = await self._try_all(targets)
        failures = [one for one in tried if isinstance(one, ErlconnectError)]
        for failure in failures:
            if isinstance(failure, SeveralNodesError):
                raise failure
        if len(failures) == len(targets):
            raise none_answered(targets, failures)
        return self._answered(targets, tried)

    async def answering(self, targets: Sequence[Target]) -> list[DiscoveredTarget]:
        """Return those that answer, as far as it is their turn to be tried again."""
        places = {target_key(target) for target in targets}
        self._failures = {key: one for key, one in self._failures.items() if key in places}
        now = asyncio.get_running_loop().time()
        due = [
            target
            for target in targets
            if (failure := self._failures.get(target_key(target))) is None or failure.until <= now
        ]
        return self._answered(due, await self._try_all(due))

    def _answered(
        self, targets: Sequence[Target], tried: Sequence[DiscoveredTarget | ErlconnectError]
    ) -> list[DiscoveredTarget]:
        found: list[DiscoveredTarget] = []
        for target, outcome in zip(targets, tried, strict=True):
            if isinstance(outcome, ErlconnectError):
                self._fail(target_key(target), outcome.message)
            else:
                self._failures.pop(target_key(target), None)
                self._service.discovery.compare(target, outcome.approached)
                found.append(outcome)
        return found

    def _fail(self, place: TargetKey, message: str) -> None:
        before = self._failures.get(place)
        pause = (
            min(2 * before.pause, _LONGEST_PROBE_PAUSE_SECONDS)
            if before
            else _FIRST_PROBE_PAUSE_SECONDS
        )
        until = asyncio.get_running_loop().time() + pause
        self._failures[place] = _Failure(message=message, pause=pause, until=until)
        if before is None or before.message != message:
            self._service.warn(f"no alias for now: {message}")

    async def _try_all(self, targets: Sequence[Target]) -> list[DiscoveredTarget | ErlconnectError]:
        # One that is listed twice must not be knocked on twice at once: it would say `alive`.
        addresses: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        async with asyncio.TaskGroup() as tasks:
            tried = [
                tasks.create_task(self._try(target, addresses[target.address]))
                for target in targets
            ]
        return [task.result() for task in tried]

    async def _try(self, target: Target, alone: asyncio.Lock) -> DiscoveredTarget | ErlconnectError:
        try:
            async with alone, self._turns:
                approached = await self._service.approach.approach(target)
        except ErlconnectError as error:
            return error
        try:
            return await self._service.found(target, approached)
        except ErlconnectError as error:
            approached.close()
            return error


# How seldom a backend is asked again that does not answer, unless it is even more seldom anyway.
_LONGEST_DISCOVERY_PAUSE_SECONDS: Final = 60.0
_SHORTEST_PAUSE_SECONDS: Final = 1.0
# How often to see whether links have ended, and whether a target answers by now.
_WAITING_SECONDS: Final = 5.0
# One answer without an instance may be a partial one.
_MISSED_ANSWERS: Final = 2


@dataclass(slots=True, kw_only=True)
class _RunningTarget:
    """``places`` are where it is listed, mostly one; ``missed`` how often it was not, lately."""

    places: set[TargetKey]
    target: Alias
    missed: int = 0
    loss: str = ""


class TargetSet:
    """``find``, then ``stand``, then ``follow``."""

    def __init__(self, service: TargetContext) -> None:
        self._service = service
        self._newcomers = CandidateProber(service)
        self._found: list[DiscoveredTarget] = []
        self._standing: list[_RunningTarget] = []
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

    async def stand(self, aliases: AliasRegistry) -> None:
        """Return each its alias."""
        for found in self._found:
            if not self._known(found):
                await self._add(aliases, found)

    async def follow(self, aliases: AliasRegistry) -> None:
        """Return aliases to instances that come, and take them from those that are gone."""
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

    async def _compare_for_ever(self, aliases: AliasRegistry) -> None:
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
        """Ask the backend, unless it tells by itself; return the pause until the next time."""
        try:
            if not self._watched:
                self._take(await self._service.discovery.targets())
        except ErlconnectError as error:
            self._pause = max(self._usual, min(2 * self._pause, _LONGEST_DISCOVERY_PAUSE_SECONDS))
            if self._said != error.message:
                self._said = error.message
                self._service.warn(f"all aliases stay as they are: {self._said}")
        else:
            self._pause, self._said = self._usual, ""
        return self._pause

    def _take(self, listed: Sequence[Target]) -> None:
        places = {target_key(target): target for target in listed}
        self._listed = list(places.values())
        for one in self._standing:
            one.missed = one.missed + 1 if one.places.isdisjoint(places) else 0

    async def _compare(self, aliases: AliasRegistry) -> None:
        known = {place for one in self._standing for place in one.places}
        new = [target for target in self._listed if target_key(target) not in known]
        found = await self._newcomers.answering(new)
        await self._welcome(aliases, [one for one in found if not self._known(one)])
        enough = 1 if self._watched else _MISSED_ANSWERS
        for one in list(self._standing):
            if one.missed >= enough and not one.target.links:
                await self._part(aliases, one)

    def _known(self, found: DiscoveredTarget) -> bool:
        """Return whether it has an alias: one that is listed twice, or is listed elsewhere now."""
        place, approached = target_key(found.source), found.approached
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

    async def _welcome(self, aliases: AliasRegistry, found: Sequence[DiscoveredTarget]) -> None:
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

    async def _add(self, aliases: AliasRegistry, found: DiscoveredTarget) -> Alias:
        target = await aliases.add(
            self._service,
            found,
            find_again=lambda: self._find_again(instance),
            tell_lost=lambda message: self._miss(instance, message),
        )
        instance = _RunningTarget(places={target_key(found.source)}, target=target)
        self._standing.append(instance)
        return target

    async def _part(self, aliases: AliasRegistry, one: _RunningTarget) -> None:
        self._standing.remove(one)
        await aliases.remove(one.target)
        where = one.target.approached.where
        one.target.tell_lost(one.loss or f"{where} is not listed any more")

    def _miss(self, one: _RunningTarget, message: str) -> None:
        """Remember why one does not answer, and look whether it is still listed."""
        one.loss = message
        self._hurry.set()

    async def _find_again(self, one: _RunningTarget) -> ConnectedTarget:
        """Look for an instance where it is listed now: at its place, or under its name."""
        others = {place for other in self._standing if other is not one for place in other.places}
        listed = await self._service.discovery.targets()
        here = [target for target in listed if target_key(target) in one.places]
        named = [
            target
            for target in listed
            if str(target.node) == one.target.node and target_key(target) not in others
        ]
        if not here + named:
            raise NoNodeFoundError(
                f"{one.target.node} is not listed any more",
                remedy="Connect to another alias; this one is given back soon.",
            )
        source = (here + named)[0]
        approached = await self._service.approach.approach(source)
        one.places, one.missed = {target_key(source)}, 0
        return approached
