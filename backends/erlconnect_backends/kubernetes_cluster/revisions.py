"""What is current of a Deployment and of a Rollout: a ReplicaSet of it, pods with a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect_backends.kubernetes_cluster.pods import Pod

# https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
_REVISION: Final = "deployment.kubernetes.io/revision"
# https://argo-rollouts.readthedocs.io/en/stable/features/specification/
_ROLLOUT_HASH: Final = "rollouts-pod-template-hash"


def current_of(
    deployment: Mapping[str, Any], sets: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Give the ReplicaSet of the revision that the Deployment is at.

    Until its controller has numbered a change, that is the latest one.
    """
    uid = deployment["metadata"]["uid"]
    owned = [
        one
        for one in sets
        if any(owner["uid"] == uid for owner in one["metadata"].get("ownerReferences") or ())
    ]
    wanted = revision_of(deployment)
    exact = [one for one in owned if wanted and revision_of(one) == wanted]
    return max(exact or owned, key=revision_of, default=None)


def revision_of(item: Mapping[str, Any]) -> int:
    """Give the number of an object's revision; 0 where it has none."""
    text = str((item["metadata"].get("annotations") or {}).get(_REVISION, ""))
    return int(text) if text.isdigit() else 0


def is_current(pod: Pod, rollout: Mapping[str, Any]) -> bool:
    """Say whether a pod is of the revision that the Rollout is at; without one told, any is."""
    wanted = (rollout.get("status") or {}).get("currentPodHash")
    labels = pod.item["metadata"].get("labels") or {}
    return not wanted or labels.get(_ROLLOUT_HASH) == wanted
