"""The syntax of TARGET: ``[kind/]name`` with kubectl's kinds and short names, and Rollouts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from erlconnect.api import UsageError
from erlconnect_backends.kubernetes.requests import (
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    STATEFUL_SET,
    Resource,
)

# What a name without a kind may be; the first that exists is meant.
GUESSES: Final = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, SERVICE, JOB, POD)
SHORT: Final = {
    DEPLOYMENT: "deploy",
    STATEFUL_SET: "sts",
    DAEMON_SET: "ds",
    REPLICA_SET: "rs",
    SERVICE: "svc",
    JOB: "job",
    ROLLOUT: "rollout",
    POD: "pod",
}
_OTHER_SHORT_NAMES: Final = {"po": POD}
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSyntax:
    """What TARGET names; without a ``resource`` it may be any of ``GUESSES``."""

    name: str
    resource: Resource | None = None

    def __str__(self) -> str:
        """Return it as TARGET."""
        return f"{SHORT[self.resource]}/{self.name}" if self.resource else self.name


def parse_target(target: str) -> TargetSyntax:
    """Return what TARGET names. Raises ``UsageError`` where that cannot have pods."""
    kind, slash, name = target.rpartition("/")
    resource = _kinds().get(kind.lower().partition(".")[0])
    if slash and not resource:
        raise UsageError(
            f"TARGET {target!r} is of no kind that has pods",
            remedy=f"Write one of {', '.join(SHORT.values())} before the slash, or a name alone.",
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"TARGET {target!r} is no name of an object",
            remedy="Names have small letters, digits, '-' and '.'; e.g. deploy/shop.",
        )
    return TargetSyntax(name=name, resource=resource)


def _kinds() -> dict[str, Resource]:
    kinds = dict(_OTHER_SHORT_NAMES)
    for resource, short in SHORT.items():
        singular = resource.word.lower()
        kinds |= dict.fromkeys((short, singular, resource.plural), resource)
    return kinds
