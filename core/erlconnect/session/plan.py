"""What a session would do, found out without touching a node: ``--dry-run``.

Asks the directory and creates what would be used, so that a mistake in its settings shows. Dials no
target and fetches no cookie.
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
    """What one TARGET of the command line leads to; the targets in the order of their knocks."""

    choices: SessionConfig
    targets: Sequence[PlannedTarget]


async def plan(
    choices: SessionConfig,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> Plan:
    """Look up the targets, and say how each would be reached.

    Raises ``ErlconnectError`` where the lookup fails or a setting cannot be used.
    """
    async with inspection_session(choices, catalogue, environment, warn) as looking:
        service = looking.service
        found = await service.discovery.targets()
        targets = [_planned(target, choices, service.offers) for target in found]
    return Plan(choices=choices, targets=targets)


def _planned(target: Target, choices: SessionConfig, offers: PluginResolver) -> PlannedTarget:
    return PlannedTarget(
        target=target,
        dist_port=choices.options.session.dist_port or target.dist_port,
        transports=[name for name, _ in offers.transports(target)],
        cookie_sources=[one.name for one in offers.cookie_sources(target)],
    )


def plan_payload(planned: Plan) -> dict[str, Any]:
    """Return the JSON object of a plan."""
    choices = planned.choices
    return {
        "schema": SCHEMA,
        "event": "plan",
        "service": choices.service,
        "profile": choices.profile or None,
        "backend": choices.backend,
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
