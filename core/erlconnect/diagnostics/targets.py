"""All targets that a lookup finds, each with what a knock at it tells."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.errors import ErlconnectError, NameInUseError
from erlconnect.session.inspection import inspection_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from erlconnect.contract import Target
    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.session.config import SessionConfig
    from erlconnect.session.connector import ConnectedTarget, Connector

_AT_THE_SAME_TIME: Final = 8
_PAUSES_SECONDS: Final = (0.05, 0.1, 0.2, 0.4, 0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetProbe:
    """One target: ``approached`` where it answered, else ``error``."""

    target: Target
    approached: ConnectedTarget | None = None
    error: ErlconnectError | None = None


async def probe_targets(
    choices: SessionConfig,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> list[TargetProbe]:
    """Discover, and knock at all that was found; in the order of the discovery.

    Raises ``ErlconnectError`` where the lookup fails, and for no target that does not answer.
    """
    async with inspection_session(choices, catalogue, environment, warn) as looking:
        targets = await looking.service.discovery.targets()
        places = asyncio.Semaphore(_AT_THE_SAME_TIME)
        async with asyncio.TaskGroup() as group:
            knocks = [
                group.create_task(_in_its_turn(looking.service.approach, target, places))
                for target in targets
            ]
        return [await _settled(looking.service.approach, one.result()) for one in knocks]


async def _in_its_turn(
    approach: Connector, target: Target, places: asyncio.Semaphore
) -> TargetProbe:
    async with places:
        return await _knock(approach, target)


async def _settled(approach: Connector, sighting: TargetProbe) -> TargetProbe:
    """Knock again where two targets were one node: it takes one knock under a name at a time."""
    for pause in _PAUSES_SECONDS:
        if not isinstance(sighting.error, NameInUseError):
            break
        await asyncio.sleep(pause)
        sighting = await _knock(approach, sighting.target)
    return sighting


async def _knock(approach: Connector, target: Target) -> TargetProbe:
    try:
        approached = await approach.approach(target)
    except ErlconnectError as error:
        return TargetProbe(target=target, error=error)
    approached.close()
    return TargetProbe(target=target, approached=approached)
