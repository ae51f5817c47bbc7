"""Answers to SelfSubjectAccessReview: whether the asking user may do something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from world.kubernetes.calls import Access
from world.kubernetes.rbac import allows
from world.kubernetes.statuses import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from world.kubernetes.objects import Objects
    from world.kubernetes.users import User


def reviewed(objects: Objects, user: User, review: Mapping[str, Any]) -> dict[str, Any]:
    """The review with its ``status``."""
    asked = (review.get("spec") or {}).get("resourceAttributes")
    if not isinstance(asked, dict):
        raise bad_request("spec.resourceAttributes: Required value")
    words = ("verb", "group", "resource", "subresource", "namespace", "name")
    allowed = allows(objects, user, Access(**{word: asked.get(word) or "" for word in words}))
    return {**review, "metadata": {}, "status": {"allowed": allowed}}
