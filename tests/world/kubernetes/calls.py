"""One request to the API, read as the API server reads it: verb, kind, namespace, name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from world.kubernetes.kinds import KINDS, Kind
from world.kubernetes.statuses import no_such_resource

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is asked for; ``namespace`` and ``name`` are empty where the path has none."""

    verb: str
    kind: Kind
    namespace: str
    name: str
    subresource: str


def read_call(method: str, path: str, query: Mapping[str, str]) -> Call:
    """The call at ``path``. Raises RefusedError where the API has nothing."""
    parts = path.strip("/").split("/")
    if parts[:2] == ["api", "v1"]:
        api_version, rest = "v1", parts[2:]
    elif parts[0] == "apis":
        api_version, rest = "/".join(parts[1:3]), parts[3:]
    else:
        raise no_such_resource()
    namespace = ""
    if rest[0:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = (*rest, "", "", "")[:3]
    kind = _kind(api_version, plural)
    if len(rest) > 3 or (subresource and subresource not in dict(kind.subresources)):
        raise no_such_resource()
    return Call(
        verb=_verb(method, name, subresource, watching=query.get("watch") in ("1", "true")),
        kind=kind,
        namespace=namespace,
        name=name,
        subresource=subresource,
    )


def _kind(api_version: str, plural: str) -> Kind:
    for kind in KINDS:
        if (kind.api_version, kind.plural) == (api_version, plural):
            return kind
    raise no_such_resource()


def _verb(method: str, name: str, subresource: str, *, watching: bool) -> str:
    if method == "GET" and not name:
        return "watch" if watching else "list"
    verbs = {"GET": "get", "POST": "create", "PUT": "update", "DELETE": "delete"}
    if method not in verbs or (method == "POST" and name and not subresource):
        raise no_such_resource()
    return verbs[method]
