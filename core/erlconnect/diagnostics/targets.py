"""All targets of a TARGET, each with what a probe of it tells: ``erlconnect targets``."""

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

_PROBES_AT_ONCE: Final = 8
_PAUSES_SECONDS: Final = (0.05, 0.1, 0.2, 0.4, 0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetProbe:
    """One target: ``connected`` where it answered, else ``error``. Its transport is closed."""

    target: Target
    connected: ConnectedTarget | None = None
    error: ErlconnectError | None = None


async def probe_targets(
    config: SessionConfig,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> list[TargetProbe]:
    """Discover, and probe all that was found; in the order of the discovery.

    Raises ``ErlconnectError`` where the discovery fails, and for no target that does not answer.
    """
    async with inspection_session(config, catalogue, environment, warn) as inspection:
        connector = inspection.context.connector
        targets = await inspection.context.discovery.targets()
        semaphore = asyncio.Semaphore(_PROBES_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            probes = [
                group.create_task(_probe_in_turn(connector, target, semaphore))
                for target in targets
            ]
        return [await _probe_again_alone(connector, one.result()) for one in probes]


async def _probe_in_turn(
    connector: Connector, target: Target, semaphore: asyncio.Semaphore
) -> TargetProbe:
    async with semaphore:
        return await _probe(connector, target)


async def _probe_again_alone(connector: Connector, probe: TargetProbe) -> TargetProbe:
    """Probe again where two targets were one node: it takes one probe under a name at a time."""
    # The node forgets the probe before only when it has read its end, shortly after we closed it.
    for pause in _PAUSES_SECONDS:
        if not isinstance(probe.error, NameInUseError):
            break
        await asyncio.sleep(pause)
        probe = await _probe(connector, probe.target)
    return probe


async def _probe(connector: Connector, target: Target) -> TargetProbe:
    try:
        connected = await connector.connect(target)
    except ErlconnectError as error:
        return TargetProbe(target=target, error=error)
    # What the node said is all that is shown: its transport is not needed any more.
    connected.close()
    return TargetProbe(target=target, connected=connected)
