"""Which of the targets that a backend lists answer: knocked on a few at a time, told once.

One that did not answer is tried again, ever more seldom.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from erlconnect.errors import ErlconnectError, SeveralNodesError
from erlconnect.session.discovery import none_answered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Target
    from erlconnect.session.service import Found, Service

Place: TypeAlias = tuple[str, str, int | None, int]

_AT_ONCE: Final = 8
_FIRST_PAUSE_SECONDS: Final = 5.0
_LONGEST_PAUSE_SECONDS: Final = 120.0


def place_of(target: Target) -> Place:
    """Give what tells targets apart as a backend lists them."""
    return str(target.node), target.address, target.dist_port, target.epmd_port


@dataclass(slots=True, kw_only=True)
class _Failure:
    message: str
    pause: float
    until: float


class Newcomers:
    """Tries targets that have no alias."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._failures: dict[Place, _Failure] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    @property
    def waiting(self) -> bool:
        """Whether there are some that will be tried again."""
        return bool(self._failures)

    async def first(self, targets: Sequence[Target]) -> list[Found]:
        """Give those that answer, in the same order. Raises ``ErlconnectError`` if none does."""
        tried = await self._try_all(targets)
        failures = [one for one in tried if isinstance(one, ErlconnectError)]
        for failure in failures:
            if isinstance(failure, SeveralNodesError):
                raise failure
        if len(failures) == len(targets):
            raise none_answered(targets, failures)
        return self._answered(targets, tried)

    async def answering(self, targets: Sequence[Target]) -> list[Found]:
        """Give those that answer, as far as it is their turn to be tried again."""
        places = {place_of(target) for target in targets}
        self._failures = {key: one for key, one in self._failures.items() if key in places}
        now = asyncio.get_running_loop().time()
        due = [
            target
            for target in targets
            if (failure := self._failures.get(place_of(target))) is None or failure.until <= now
        ]
        return self._answered(due, await self._try_all(due))

    def _answered(
        self, targets: Sequence[Target], tried: Sequence[Found | ErlconnectError]
    ) -> list[Found]:
        found: list[Found] = []
        for target, outcome in zip(targets, tried, strict=True):
            if isinstance(outcome, ErlconnectError):
                self._fail(place_of(target), outcome.message)
            else:
                self._failures.pop(place_of(target), None)
                self._service.discovery.compare(target, outcome.approached)
                found.append(outcome)
        return found

    def _fail(self, place: Place, message: str) -> None:
        before = self._failures.get(place)
        pause = min(2 * before.pause, _LONGEST_PAUSE_SECONDS) if before else _FIRST_PAUSE_SECONDS
        until = asyncio.get_running_loop().time() + pause
        self._failures[place] = _Failure(message=message, pause=pause, until=until)
        if before is None or before.message != message:
            self._service.warn(f"no alias for now: {message}")

    async def _try_all(self, targets: Sequence[Target]) -> list[Found | ErlconnectError]:
        # One that is listed twice must not be knocked on twice at once: it would say `alive`.
        addresses: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        async with asyncio.TaskGroup() as tasks:
            tried = [
                tasks.create_task(self._try(target, addresses[target.address]))
                for target in targets
            ]
        return [task.result() for task in tried]

    async def _try(self, target: Target, alone: asyncio.Lock) -> Found | ErlconnectError:
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
