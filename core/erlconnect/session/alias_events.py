"""What is told of an alias: its entry in ``ready``, and what becomes of its target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.session.events import AliasEntry, TargetLost, TargetReplaced
from erlconnect.session.local_names import alias_forms

if TYPE_CHECKING:
    from erlconnect.session.aliased_target import AliasedTarget
    from erlconnect.session.approach import Approached


def entry(target: AliasedTarget, local_port: int) -> AliasEntry:
    """Give what ``ready`` tells of it."""
    alias, short_alias, ipv6_alias = alias_forms(target.name)
    return AliasEntry(
        alias=alias,
        short_alias=short_alias,
        ipv6_alias=ipv6_alias,
        node=target.node,
        address=target.approached.target.address,
        dist_port=target.approached.port,
        local_port=local_port,
        backend=target.service.choices.backend,
        transport=target.approached.transport,
        cookie_source=target.cookie_source,
        facts=target.approached.target.facts,
    )


def lost(target: AliasedTarget, message: str) -> TargetLost:
    """Tell that the target is gone."""
    return TargetLost(alias=target.alias, node=target.node, message=message)


def replaced(target: AliasedTarget, before: Approached) -> TargetReplaced:
    """Tell that the alias stands for another target than ``before``."""
    return TargetReplaced(
        alias=target.alias,
        old_node=str(before.target.node),
        node=target.node,
        address=target.approached.target.address,
        dist_port=target.approached.port,
    )
