"""One request to the API, read as the API server reads it: verb, kind, namespace, name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from world.kubernetes.kinds import KINDS, Kind
from world.kubernetes.statuses import method_not_allowed, no_such_resource

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIELD_NAME: Final = re.compile(r"(?:^|,)metadata\.name==?([^,]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What rules are asked about; everything but verb and resource may be empty."""

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is asked for; ``namespace`` and ``name`` are empty where the path has none."""

    verb: str
    kind: Kind
    namespace: str
    name: str
    subresource: str

    def access(self, verb: str = "") -> Access:
        """What this call needs the right to; another ``verb`` than its own where one is given."""
        return Access(
            verb=verb or self.verb,
            group=self.kind.group,
            resource=self.kind.plural,
            subresource=self.subresource,
            namespace=self.namespace,
            name=self.name,
        )

    def of_object(self) -> Call:
        """The call that reads the object that a subresource belongs to."""
        return replace(self, verb="get", subresource="")


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
    verb = _verb(method, name, subresource, watching=query.get("watch") in ("1", "true"))
    if verb in ("list", "watch") and (named := _FIELD_NAME.search(query.get("fieldSelector", ""))):
        name = named[1]  # as rules with resourceNames are asked
    return Call(verb=verb, kind=kind, namespace=namespace, name=name, subresource=subresource)


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
        raise method_not_allowed()
    return verbs[method]
