"""The plan of a session, made without dialling a node: ``connect --dry-run``.

The backend is asked, and the transports and cookie sources that would be used are created, so that
a mistake in their settings shows. No target is dialled and no cookie is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from erlconnect.session.events import SCHEMA
from erlconnect.session.inspection import inspection_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from erlconnect.contract import Target
    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.session.config import SessionConfig
    from erlconnect.session.plugin_resolver import PluginResolver


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTarget:
    """One target; ``transports`` and ``cookie_sources`` in the order in which they are tried.

    ``dist_port`` is ``None`` where the remote epmd is to be asked.
    """

    target: Target
    dist_port: int | None
    transports: Sequence[str]
    cookie_sources: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one TARGET of the command line leads to; the targets in the order of their probes."""

    config: SessionConfig
    targets: Sequence[PlannedTarget]


async def plan(
    config: SessionConfig,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> Plan:
    """Discover the targets, and return how each would be reached.

    Raises ``ErlconnectError`` where the discovery fails or a setting cannot be used.
    """
    async with inspection_session(config, catalogue, environment, warn) as inspection:
        context = inspection.context
        found = await context.discovery.targets()
        targets = [_planned(target, config, context.plugins) for target in found]
    return Plan(config=config, targets=targets)


def _planned(target: Target, config: SessionConfig, plugins: PluginResolver) -> PlannedTarget:
    return PlannedTarget(
        target=target,
        # `-o dist-port=` goes before the port that the backend has found.
        dist_port=config.settings.dist_port or target.dist_port,
        # Both calls create the plugins, which checks their settings.
        transports=[name for name, _ in plugins.transports(target)],
        cookie_sources=[one.name for one in plugins.cookie_sources(target)],
    )


def plan_payload(planned: Plan) -> dict[str, Any]:
    """Return the JSON object of a plan."""
    config = planned.config
    return {
        "schema": SCHEMA,
        "event": "plan",
        "service": config.service,
        "profile": config.profile or None,
        "backend": config.backend.name,
        "targets": [_target_fields(one) for one in planned.targets],
    }


def _target_fields(planned: PlannedTarget) -> dict[str, Any]:
    target = planned.target
    return {
        "node": str(target.node) if target.node.name else None,
        "address": target.address,
        "dist_port": planned.dist_port,
        "epmd_port": target.epmd_port,
        "transports": list(planned.transports),
        "cookie_sources": list(planned.cookie_sources),
        "facts": dict(target.facts),
    }
