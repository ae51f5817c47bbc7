"""Answers to calls that read or write objects, without HTTP."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from world.kubernetes.selectors import matcher
from world.kubernetes.statuses import already_exists, bad_request, status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from world.kubernetes.calls import Call
    from world.kubernetes.objects import Objects


def one(objects: Objects, call: Call) -> dict[str, Any]:
    return objects.get(call.kind.plural, call.namespace, call.name)


def listing(objects: Objects, call: Call, query: Mapping[str, str]) -> dict[str, Any]:
    """A list, in pages where a ``limit`` asks for them; its items bear no kind, as in truth."""
    selected = matcher(query.get("labelSelector", ""), query.get("fieldSelector", ""))
    items, version = objects.every(call.kind.plural, call.namespace)
    wanted = [item for item in items if selected(item)]
    start, limit = _offset(query.get("continue", "")), int(query.get("limit") or 0)
    page = wanted[start : start + limit] if limit else wanted[start:]
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    left = len(wanted) - start - len(page)
    if left:
        meta["continue"] = base64.urlsafe_b64encode(b"%d" % (start + limit)).decode()
        meta["remainingItemCount"] = left
    return {
        "kind": f"{call.kind.name}List",
        "apiVersion": call.kind.api_version,
        "metadata": meta,
        "items": [_without_kind(item) for item in page],
    }


def created(objects: Objects, call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    """Add the object of a request's body."""
    name = body["metadata"]["name"]
    items, _ = objects.every(call.kind.plural, call.namespace)
    if name in [item["metadata"]["name"] for item in items]:
        raise already_exists(call.kind, name)
    return objects.put(_placed(call, body))


def updated(objects: Objects, call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    """Replace an object that is there by that of a request's body."""
    one(objects, call)
    return objects.put(_placed(call, body))


def deleted(objects: Objects, call: Call) -> dict[str, Any]:
    """Delete an object at once: nobody is given time to end."""
    gone = objects.remove(call.kind.plural, call.namespace, call.name)
    details = {"name": call.name, "kind": call.kind.plural, "uid": gone["metadata"]["uid"]}
    success = status(200, "", "", details)
    return {key: success[key] for key in ("kind", "apiVersion", "metadata", "details")} | {
        "status": "Success"
    }


def _placed(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    if (body.get("kind"), body.get("apiVersion")) != (call.kind.name, call.kind.api_version):
        raise bad_request(f"the object is no {call.kind.name} of {call.kind.api_version}")
    place = {"namespace": call.namespace} if call.kind.namespaced else {}
    return {**body, "metadata": {**body["metadata"], **place}}


def _offset(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        raise bad_request("continue key is not valid") from None


def _without_kind(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in ("kind", "apiVersion")}
