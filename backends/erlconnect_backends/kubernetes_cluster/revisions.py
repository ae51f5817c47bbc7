"""Which of a Deployment's ReplicaSets is the current one: revisions are numbers in annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_REVISION: Final = "deployment.kubernetes.io/revision"


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
