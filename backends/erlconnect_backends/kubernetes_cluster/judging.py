"""What another answer than the one that was asked for means, for requests and streams alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from erlconnect_backends.kubernetes_cluster import failures
from erlconnect_backends.kubernetes_cluster.rights import Right, role_yaml
from erlconnect_backends.kubernetes_cluster.trying import AgainError

if TYPE_CHECKING:
    from collections.abc import Collection

    from erlconnect.api import ErlconnectError
    from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess, Credentials

_BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for, the rights that it needs, and those of the whole task."""

    what: str
    namespace: str
    rights: tuple[Right, ...]
    needed: Collection[Right] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A status and what was said with it; ``retry_after`` is the header of that name."""

    status: int
    said: str = field(repr=False)
    retry_after: str = ""


async def judged(
    access: ClusterAccess, credentials: Credentials, asked: Asked, answered: Answered
) -> AgainError | ErlconnectError:
    """Give what to raise; new credentials are there already where that helps."""
    if answered.status == HTTPStatus.UNAUTHORIZED:
        refusal = failures.not_logged_in(access, asked.what, answered.said)
        renewed = await access.renew(credentials)
        return AgainError(refusal, pause=0) if renewed.differ_from(credentials) else refusal
    if answered.status == HTTPStatus.FORBIDDEN:
        return failures.forbidden(
            access,
            asked.what,
            answered.said,
            missing=" or ".join(map(str, asked.rights)),
            namespace=asked.namespace,
            role=role_yaml({*asked.needed, *asked.rights}, namespace=asked.namespace),
        )
    pause = _seconds(answered.retry_after)
    error = failures.answered(access, asked.what, answered.status, answered.said, pause=pause)
    if answered.status in _BUSY or answered.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return AgainError(error, pause=pause)
    return error


def _seconds(retry_after: str) -> float | None:
    """Give the number of seconds; a date, which API servers do not send, counts as none."""
    return float(retry_after) if retry_after.isdigit() else None
