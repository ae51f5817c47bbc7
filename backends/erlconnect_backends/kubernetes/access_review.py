"""The rights that a whole session needs, and the review that says which of them are missing.

``rights_to_find`` and ``rights_for_cookie`` collect them for the Role in an error and in
``backend.rights``. ``denied`` asks for them beforehand, so that a missing one is named early. A
server that does not answer such a review in time has not denied anything.

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

# Which verb a stream needs depends on the protocol and the server's version. The upgrade to a
# websocket is a GET and so ``get``; newer servers ask for ``create`` all the same.
_STREAM_VERBS: Final = ("create", "get")
PORT_FORWARD: Final = frozenset(
    Right(resource="pods/portforward", verb=verb) for verb in _STREAM_VERBS
)
ANY_SECRET: Final = frozenset({Right(resource=SECRET.plural, verb="get")})
EXEC: Final = frozenset(Right(resource="pods/exec", verb=verb) for verb in _STREAM_VERBS)
_REVIEW_SECONDS: Final = 5.0


def rights_to_find(named: TargetSyntax | None) -> set[Right]:
    """Return the rights to find the pods of TARGET; ``None`` where a selector finds them."""
    rights = {Right(resource=POD.plural, verb=verb) for verb in ("get", "list")}
    if named is None:
        return rights
    kinds = [named.resource] if named.resource else GUESSES
    rights |= {_get_right(each, named.name) for each in kinds if each is not POD}
    # Its current ReplicaSet owns the pods that count.
    if DEPLOYMENT in kinds:
        rights.add(Right(group=REPLICA_SET.group, resource=REPLICA_SET.plural, verb="list"))
    return rights


def rights_for_cookie(container: Mapping[str, Any], names: Collection[str]) -> set[Right]:
    """Return the rights to fetch the cookie of a node in ``container``.

    Where none of the variables ``names`` can hold it, that is the right to look inside.
    """
    if not names:
        return set(EXEC)
    objects = env_sources(container, names)
    literal = any(entry.get("name") in names for entry in container.get("env") or ())
    if objects or literal:
        return {_get_right(resource, name) for resource, name in objects}
    return set(EXEC)


async def denied(rest: ApiClient, rights: Collection[Right]) -> list[Right]:
    """Return those of ``rights`` that the server denies. Cancelled, it leaves nothing behind."""
    reviewed = sorted(rights)
    # At the same time, so that a slow server costs its time once.
    answers = await asyncio.gather(*(_is_denied(rest, right) for right in reviewed))
    return [right for right, is_denied in zip(reviewed, answers, strict=True) if is_denied]


def may_be_refused(missing: Collection[Right], *, namespace: str) -> str:
    """Return the warning about missing verbs of a port-forward."""
    return (
        f"a port-forward may be refused: {' and '.join(map(str, missing))} is not allowed in the"
        f" namespace {namespace} (Kubernetes asks for create or get, depending on its version)"
    )


async def _is_denied(rest: ApiClient, right: Right) -> bool:
    try:
        async with asyncio.timeout(_REVIEW_SECONDS):
            answer = await rest.get(review_of(right, namespace=rest.access.namespace))
    except (ErlconnectError, TimeoutError):
        return False
    # Without the field nothing was decided.
    return (answer.get("status") or {}).get("allowed") is False


def _get_right(resource: Resource, name: str) -> Right:
    return one(resource, name, namespace="").right
