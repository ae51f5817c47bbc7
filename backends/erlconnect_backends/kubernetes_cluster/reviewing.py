"""Asks beforehand whether rights are there, so that one that is missing is named early.

A server that does not answer such a question, or not in time, has said nothing. Reference:
https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from erlconnect.api import ErlconnectError
from erlconnect_backends.kubernetes_cluster.questions import review_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from erlconnect_backends.kubernetes_cluster.rest import Rest
    from erlconnect_backends.kubernetes_cluster.rights import Right

_SECONDS: Final = 5.0


async def denied(rest: Rest, rights: Collection[Right]) -> list[Right]:
    """Give those of ``rights`` that the server says are missing. Cancelled, it leaves nothing."""
    asked = sorted(rights)
    answers = await asyncio.gather(*(_is_denied(rest, right) for right in asked))
    return [right for right, is_denied in zip(asked, answers, strict=True) if is_denied]


def may_be_refused(missing: Collection[Right], *, namespace: str) -> str:
    """Say what the missing verbs of a port-forward mean."""
    return (
        f"a port-forward may be refused: {' and '.join(map(str, missing))} is not allowed in the"
        f" namespace {namespace} (Kubernetes asks for create or get, depending on its version)"
    )


async def _is_denied(rest: Rest, right: Right) -> bool:
    try:
        async with asyncio.timeout(_SECONDS):
            answer = await rest.get(review_of(right, namespace=rest.access.namespace))
    except (ErlconnectError, TimeoutError):
        return False
    return (answer.get("status") or {}).get("allowed") is False
