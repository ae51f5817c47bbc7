"""The rights that a whole session needs, from finding pods to the cookie and the way in.

Asks beforehand whether rights are there, so that one that is missing is named early.

A server that does not answer such a request, or not in time, has said nothing. Reference:
https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import ErlconnectError
from erlconnect_backends.kubernetes.container_env import env_sources
from erlconnect_backends.kubernetes.requests import (
    DEPLOYMENT,
    POD,
    REPLICA_SET,
    SECRET,
    Right,
    one,
    review_of,
)
from erlconnect_backends.kubernetes.target_syntax import GUESSES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from erlconnect_backends.kubernetes.api_client import ApiClient
    from erlconnect_backends.kubernetes.requests import Resource
    from erlconnect_backends.kubernetes.target_syntax import TargetSyntax

# Which verb a stream needs depends on the server's version and on the protocol.
_STREAM_VERBS: Final = ("create", "get")
PORT_FORWARD: Final = frozenset(
    Right(resource="pods/portforward", verb=verb) for verb in _STREAM_VERBS
)
ANY_SECRET: Final = frozenset({Right(resource=SECRET.plural, verb="get")})
EXEC: Final = frozenset(Right(resource="pods/exec", verb=verb) for verb in _STREAM_VERBS)


def rights_to_find(named: TargetSyntax | None) -> set[Right]:
    """Return what finding the pods of TARGET needs; ``None`` where a selector finds them."""
    rights = {Right(resource=POD.plural, verb=verb) for verb in ("get", "list")}
    if named is None:
        return rights
    kinds = [named.resource] if named.resource else GUESSES
    rights |= {_getting(each, named.name) for each in kinds if each is not POD}
    if DEPLOYMENT in kinds:
        rights.add(Right(group=REPLICA_SET.group, resource=REPLICA_SET.plural, verb="list"))
    return rights


def rights_for_cookie(container: Mapping[str, Any], names: Collection[str]) -> set[Right]:
    """Return what fetching the cookie of a node in ``container`` needs.

    Where no variable can hold it, or ``names`` has none, it is looked for inside the container.
    """
    if not names:
        return set(EXEC)
    objects = env_sources(container, names)
    literal = any(entry.get("name") in names for entry in container.get("env") or ())
    if objects or literal:
        return {_getting(resource, name) for resource, name in objects}
    return set(EXEC)


def _getting(resource: Resource, name: str) -> Right:
    return one(resource, name, namespace="").right


_SECONDS: Final = 5.0


async def denied(rest: ApiClient, rights: Collection[Right]) -> list[Right]:
    """Return those of ``rights`` that the server says are missing. Cancelled, it leaves nothing."""
    asked = sorted(rights)
    answers = await asyncio.gather(*(_is_denied(rest, right) for right in asked))
    return [right for right, is_denied in zip(asked, answers, strict=True) if is_denied]


def may_be_refused(missing: Collection[Right], *, namespace: str) -> str:
    """Say what the missing verbs of a port-forward mean."""
    return (
        f"a port-forward may be refused: {' and '.join(map(str, missing))} is not allowed in the"
        f" namespace {namespace} (Kubernetes asks for create or get, depending on its version)"
    )


async def _is_denied(rest: ApiClient, right: Right) -> bool:
    try:
        async with asyncio.timeout(_SECONDS):
            answer = await rest.get(review_of(right, namespace=rest.access.namespace))
    except (ErlconnectError, TimeoutError):
        return False
    return (answer.get("status") or {}).get("allowed") is False
