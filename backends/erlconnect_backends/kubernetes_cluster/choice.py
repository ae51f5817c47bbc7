"""Which pods of a group may be dialled: running, ready ones that are not about to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.api import NoNodeFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect_backends.kubernetes_cluster.pods import Pod
    from erlconnect_backends.kubernetes_cluster.workloads import Group

_MAX_LISTED: Final = 5


def usable_pods(group: Group, *, allow_unready: bool, chosen: str = "") -> Sequence[Pod]:
    """Give the usable pods, ready ones first, else by name.

    The pod called ``chosen`` is usable as long as it runs.
    """
    usable = [
        pod
        for pod in group.pods
        if pod.running
        and (pod.name == chosen or (not pod.terminating and (pod.ready or allow_unready)))
    ]
    return sorted(usable, key=lambda pod: (not pod.ready, pod.name))


def nothing_usable(group: Group) -> NoNodeFoundError:
    """Say why no pod of the group may be dialled, and what to do."""
    return NoNodeFoundError(_failure(group), remedy=_remedy(group))


def _failure(group: Group) -> str:
    if not group.pods:
        return f"The {group.what} has no pods"
    states = [f"{pod.name} ({pod.state})" for pod in group.pods]
    more = len(states) - _MAX_LISTED
    listed = ", ".join([*states[:_MAX_LISTED], *([f"and {more} more"] if more > 0 else [])])
    return f"The {group.what} has no pod that is ready: {listed}"


def _remedy(group: Group) -> str:
    if not group.pods:
        return "Scale it up, or check -o namespace= and -o selector=."
    running = [pod for pod in group.pods if pod.running]
    if any(not pod.terminating for pod in running):
        return "Wait until one is ready, or take one that is not with -o allow-unready=true."
    if running:
        return "Wait for its replacement, or take it while it lasts with -o pod=."
    return f"See `kubectl describe pod {group.pods[0].name}`."
