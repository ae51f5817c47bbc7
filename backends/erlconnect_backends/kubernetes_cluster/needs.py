"""The rights that a whole session needs, from finding pods to the cookie and the way in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from erlconnect_backends.kubernetes_cluster.questions import (
    DEPLOYMENT,
    POD,
    REPLICA_SET,
    SECRET,
    one,
)
from erlconnect_backends.kubernetes_cluster.rights import Right
from erlconnect_backends.kubernetes_cluster.targets_named import GUESSES
from erlconnect_backends.kubernetes_cluster.variable_sources import sources_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from erlconnect_backends.kubernetes_cluster.questions import Resource
    from erlconnect_backends.kubernetes_cluster.targets_named import Named

# Which verb a stream needs depends on the server's version and on the protocol.
_STREAM_VERBS: Final = ("create", "get")
PORT_FORWARD: Final = frozenset(
    Right(resource="pods/portforward", verb=verb) for verb in _STREAM_VERBS
)
ANY_SECRET: Final = frozenset({Right(resource=SECRET.plural, verb="get")})
EXEC: Final = frozenset(Right(resource="pods/exec", verb=verb) for verb in _STREAM_VERBS)


def finding(named: Named | None) -> set[Right]:
    """Give what finding the pods of TARGET needs; ``None`` where a selector finds them."""
    rights = {Right(resource=POD.plural, verb=verb) for verb in ("get", "list")}
    if named is None:
        return rights
    kinds = [named.resource] if named.resource else GUESSES
    rights |= {_getting(each, named.name) for each in kinds if each is not POD}
    if DEPLOYMENT in kinds:
        rights.add(Right(group=REPLICA_SET.group, resource=REPLICA_SET.plural, verb="list"))
    return rights


def cookie_of(container: Mapping[str, Any], names: Collection[str]) -> set[Right]:
    """Give what fetching the cookie of a node in ``container`` needs.

    Where no variable can hold it, or ``names`` has none, it is looked for inside the container.
    """
    if not names:
        return set(EXEC)
    objects = sources_of(container, names)
    literal = any(entry.get("name") in names for entry in container.get("env") or ())
    if objects or literal:
        return {_getting(resource, name) for resource, name in objects}
    return set(EXEC)


def _getting(resource: Resource, name: str) -> Right:
    return one(resource, name, namespace="").right
