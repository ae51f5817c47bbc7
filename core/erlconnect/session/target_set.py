"""Which targets of one TARGET get an alias: the first that answers, or with ``--all`` all of them.

``SingleTarget`` and ``TargetSet`` have the same three steps, which ``session.py`` takes one after
the other for every TARGET: ``discover``, then ``open`` with the aliases, then ``watch`` until the
session ends. With ``--all``, ``CandidateProber`` connects to the targets that have no alias.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.errors import ErlconnectError, NoNodeFoundError, SeveralNodesError
from erlconnect.net.sockets import set_within
from erlconnect.session.discovery import none_answered, target_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.contract import Target
    from erlconnect.session.alias import Alias
    from erlconnect.session.alias_registry import AliasRegistry
    from erlconnect.session.config import TargetContext
    from erlconnect.session.connector import ConnectedTarget
    from erlconnect.session.discovery import TargetKey

_PROBES_AT_ONCE: Final = 8
_FIRST_PROBE_PAUSE_SECONDS: Final = 5.0
_LONGEST_PROBE_PAUSE_SECONDS: Final = 120.0
# The longest pause between two discoveries after errors, unless `look-again` is longer.
_LONGEST_DISCOVERY_PAUSE_SECONDS: Final = 60.0
_SHORTEST_PAUSE_SECONDS: Final = 1.0
# How often to check whether links have ended, and whether a target answers by now.
_CHECK_SECONDS: Final = 5.0
# One answer without a target may be a partial one.
_MISSED_ANSWERS: Final = 2


class SingleTarget:
    """The one target of a TARGET without ``--all``."""

    def __init__(self, context: TargetContext) -> None:
        self._context = context
        self._connected: ConnectedTarget | None = None
        self._alias: Alias | None = None

    async def discover(self) -> None:
        """Connect to a target that answers, and fetch its cookie. Raises ``ErlconnectError``."""
        self._context.progress(f"looking for {self._context.config.service}")
        connected = await self._context.discovery.connect_first()
        self._context.progress(f"fetching the cookie of {connected.target.node}")
        self._connected = await self._context.with_cookies(connected)

    async def open(self, aliases: AliasRegistry) -> None:
        """Add its alias."""
        assert self._connected  # noqa: S101 - discovered before
        self._alias = await aliases.add(self._context, self._connected, find_again=self._find_again)

    async def watch(self, aliases: AliasRegistry) -> None:
        """Notice when it is not listed any more, where the backend watches its targets."""
        del aliases  # it keeps its own, whatever is listed
        assert self._alias  # noqa: S101 - opened before
        await self._context.discovery.watch(self._alias.tracker.on_discovery)

    async def _find_again(self, alias: Alias) -> ConnectedTarget:
        del alias  # any target that answers replaces it
        return await self._context.discovery.connect_first()


class TargetSet:
    """All targets of a TARGET with ``--all``, each with an alias, as they come and go.

    A discovery that failed changes nothing. An alias with links that are up stays: a directory may
    be wrong, and the links work.
    """

    def __init__(self, context: TargetContext) -> None:
        self._context = context
        self._prober = CandidateProber(context)
        self._connected: list[ConnectedTarget] = []
        self._aliases: list[Alias] = []
        self._listed: Sequence[Target] = ()
        self._watched = False
        self._changed = asyncio.Event()
        self._usual_pause = float(context.config.settings.look_again)
        self._pause, self._last_error = self._usual_pause, ""

    async def discover(self) -> None:
        """Connect to all that answer. Raises ``ErlconnectError`` if none does."""
        self._context.progress(f"looking for all of {self._context.config.service}")
        self._take(await self._context.discovery.targets())
        self._connected = await self._prober.connect_all(self._listed)

    async def open(self, aliases: AliasRegistry) -> None:
        """Add an alias for each."""
        for connected in self._connected:
            if not self._has_alias(connected):
                await self._add(aliases, connected)

    async def watch(self, aliases: AliasRegistry) -> None:
        """Add aliases for targets that come, and remove those of targets that are gone."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_backend())
            tasks.create_task(self._compare_for_ever(aliases))

    async def _watch_backend(self) -> None:
        await self._context.discovery.watch(self._on_change)
        # The watch has ended, or there is none: from now on the backend is asked.
        self._watched = False

    def _on_change(self, listed: Sequence[Target]) -> None:
        self._watched = True
        self._take(listed)
        self._changed.set()

    async def _compare_for_ever(self, aliases: AliasRegistry) -> None:
        loop = asyncio.get_running_loop()
        next_discovery = loop.time() + self._usual_pause
        while True:
            unsettled = self._prober.waiting or any(alias.missed for alias in self._aliases)
            check = min(next_discovery, loop.time() + _CHECK_SECONDS)
            until = check if unsettled else next_discovery
            changed = await set_within(self._changed, until - loop.time())
            if changed or loop.time() >= next_discovery:
                next_discovery = loop.time() + await self._discover_again()
            self._changed.clear()
            await self._compare(aliases)
            # A backend that reports many changes in a row is not followed at each of them.
            await asyncio.sleep(_SHORTEST_PAUSE_SECONDS)

    async def _discover_again(self) -> float:
        """Ask the backend, unless it is watched; return the seconds until the next time."""
        try:
            if not self._watched:
                self._take(await self._context.discovery.targets())
        except ErlconnectError as error:
            doubled = min(2 * self._pause, _LONGEST_DISCOVERY_PAUSE_SECONDS)
            self._pause = max(self._usual_pause, doubled)
            if self._last_error != error.message:
                self._last_error = error.message
                self._context.warn(
                    f"the discovery failed, so all aliases stay as they are: {self._last_error}"
                )
        else:
            self._pause, self._last_error = self._usual_pause, ""
        return self._pause

    def _take(self, listed: Sequence[Target]) -> None:
        by_key = {target_key(target): target for target in listed}
        self._listed = list(by_key.values())
        for alias in self._aliases:
            alias.missed = alias.missed + 1 if alias.keys.isdisjoint(by_key) else 0

    async def _compare(self, aliases: AliasRegistry) -> None:
        known = {key for alias in self._aliases for key in alias.keys}
        candidates = [target for target in self._listed if target_key(target) not in known]
        connected = await self._prober.connect_due(candidates)
        await self._add_new(aliases, [one for one in connected if not self._has_alias(one)])
        # What a watch reports is the whole list, and not a partial answer.
        enough = 1 if self._watched else _MISSED_ANSWERS
        for alias in list(self._aliases):
            if alias.missed >= enough and not alias.links:
                await self._remove(aliases, alias)

    def _has_alias(self, connected: ConnectedTarget) -> bool:
        """Return whether it has an alias: one that is listed twice, or is listed elsewhere now."""
        key = target_key(connected.discovered)
        for alias in self._aliases:
            if alias.connected.where == connected.where:
                alias.keys.add(key)
                connected.close()
                return True
        # Only now by name: several may have this name, and another alias may have this address.
        for alias in self._aliases:
            if alias.missed and alias.node == str(connected.target.node):
                alias.keys, alias.missed = {key}, 0
                alias.tracker.replace(connected)
                return True
        return False

    async def _add_new(self, aliases: AliasRegistry, new: Sequence[ConnectedTarget]) -> None:
        if not new:
            return
        links = sum(alias.links for alias in self._aliases)
        added = [await self._add(aliases, connected) for connected in new]
        aliases.serve()
        if links:
            # The names that a link rewrites are fixed when it comes up.
            names = ", ".join(alias.long_name for alias in added)
            self._context.warn(
                f"new: {names}; links that are up ({links}) do "
                "not know these names, a local node that connects again does"
            )

    async def _add(self, aliases: AliasRegistry, connected: ConnectedTarget) -> Alias:
        alias = await aliases.add(
            self._context, connected, find_again=self._find_again, on_lost=self._on_lost
        )
        self._aliases.append(alias)
        return alias

    async def _remove(self, aliases: AliasRegistry, alias: Alias) -> None:
        self._aliases.remove(alias)
        await aliases.remove(alias)
        alias.report_lost(alias.loss or f"{alias.connected.where} is not listed any more")

    def _on_lost(self, alias: Alias, why: str) -> None:
        """Remember why the target does not answer, and discover whether it is still listed."""
        alias.loss = why
        self._changed.set()

    async def _find_again(self, alias: Alias) -> ConnectedTarget:
        """Connect to a target where it is listed now: under its keys, or under its name."""
        others = {key for other in self._aliases if other is not alias for key in other.keys}
        listed = await self._context.discovery.targets()
        same_key = [target for target in listed if target_key(target) in alias.keys]
        same_name = [
            target
            for target in listed
            if str(target.node) == alias.node and target_key(target) not in others
        ]
        if not same_key + same_name:
            raise NoNodeFoundError(
                f"{alias.node} is not listed any more",
                remedy="Connect to another alias; this one is given back soon.",
            )
        connected = await self._context.connector.connect((same_key + same_name)[0])
        alias.keys, alias.missed = {target_key(connected.discovered)}, 0
        return connected


class CandidateProber:
    """Connects to targets that have no alias, a few at a time.

    One that does not answer is tried again, after twice the pause each time.
    """

    def __init__(self, context: TargetContext) -> None:
        self._context = context
        self._failures: dict[TargetKey, _Failure] = {}
        self._semaphore = asyncio.Semaphore(_PROBES_AT_ONCE)

    @property
    def waiting(self) -> bool:
        """Whether there are some that will be tried again."""
        return bool(self._failures)

    async def connect_all(self, targets: Sequence[Target]) -> list[ConnectedTarget]:
        """Return those that answer, in the same order. Raises ``ErlconnectError`` if none does."""
        results = await self._try_all(targets)
        failures = [one for one in results if isinstance(one, ErlconnectError)]
        for failure in failures:
            # The user has to name one of several nodes at one address, with --all as without.
            if isinstance(failure, SeveralNodesError):
                raise failure
        if len(failures) == len(targets):
            raise none_answered(targets, failures)
        return self._connected(targets, results)

    async def connect_due(self, targets: Sequence[Target]) -> list[ConnectedTarget]:
        """Return those that answer, without those whose pause is not over yet."""
        keys = {target_key(target) for target in targets}
        # A target that is not listed any more begins anew when it comes back.
        self._failures = {key: one for key, one in self._failures.items() if key in keys}
        now = asyncio.get_running_loop().time()
        due = [
            target
            for target in targets
            if (failure := self._failures.get(target_key(target))) is None or failure.until <= now
        ]
        return self._connected(due, await self._try_all(due))

    def _connected(
        self, targets: Sequence[Target], results: Sequence[ConnectedTarget | ErlconnectError]
    ) -> list[ConnectedTarget]:
        connected: list[ConnectedTarget] = []
        for target, result in zip(targets, results, strict=True):
            if isinstance(result, ErlconnectError):
                self._fail(target_key(target), result.message)
            else:
                self._failures.pop(target_key(target), None)
                self._context.discovery.warn_of_other_name(result)
                connected.append(result)
        return connected

    def _fail(self, key: TargetKey, message: str) -> None:
        before = self._failures.get(key)
        pause = (
            min(2 * before.pause, _LONGEST_PROBE_PAUSE_SECONDS)
            if before
            else _FIRST_PROBE_PAUSE_SECONDS
        )
        until = asyncio.get_running_loop().time() + pause
        self._failures[key] = _Failure(message=message, pause=pause, until=until)
        if before is None or before.message != message:
            self._context.warn(f"a target has no alias yet: {message}")

    async def _try_all(self, targets: Sequence[Target]) -> list[ConnectedTarget | ErlconnectError]:
        # One node may be listed twice. Two probes of it at once have the same caller name, and the
        # node answers the second one with the status `alive`.
        addresses: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        async with asyncio.TaskGroup() as tasks:
            tried = [
                tasks.create_task(self._try(target, addresses[target.address]))
                for target in targets
            ]
        return [task.result() for task in tried]

    async def _try(
        self, target: Target, address: asyncio.Lock
    ) -> ConnectedTarget | ErlconnectError:
        try:
            async with address, self._semaphore:
                connected = await self._context.connector.connect(target)
        except ErlconnectError as error:
            return error
        try:
            # Outside of the semaphore: a person may have to type the cookie meanwhile.
            return await self._context.with_cookies(connected)
        except ErlconnectError as error:
            connected.close()
            return error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """``pause`` is in seconds, ``until`` a time of the event loop."""

    message: str
    pause: float
    until: float
