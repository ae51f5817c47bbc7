"""What the API server says when it does not do what was asked: ``Status`` objects, in its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from world.kubernetes.calls import Access
    from world.kubernetes.kinds import Kind


class RefusedError(Exception):
    """A request is answered with ``status``, a ``Status`` object, and ``headers``."""

    def __init__(self, status: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status["message"])
        self.status = status
        self.headers = dict(headers or {})


def status(
    code: int, reason: str, message: str, details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A ``Status`` that tells of a failure."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        **({"details": dict(details)} if details else {}),
        "code": code,
    }


def unauthorized() -> RefusedError:
    return RefusedError(status(401, "Unauthorized", "Unauthorized"))


def not_found(kind: Kind, name: str) -> RefusedError:
    return RefusedError(
        status(404, "NotFound", f'{kind.qualified} "{name}" not found', _details(kind, name))
    )


def no_such_resource() -> RefusedError:
    text = "the server could not find the requested resource"
    return RefusedError(status(404, "NotFound", text))


def method_not_allowed() -> RefusedError:
    text = "the server does not allow this method on the requested resource"
    return RefusedError(status(405, "MethodNotAllowed", text))


def already_exists(kind: Kind, name: str) -> RefusedError:
    text = f'{kind.qualified} "{name}" already exists'
    return RefusedError(status(409, "AlreadyExists", text, _details(kind, name)))


def bad_request(text: str) -> RefusedError:
    return RefusedError(status(400, "BadRequest", text))


def unsupported_media_type() -> RefusedError:
    text = (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json"
    )
    return RefusedError(status(415, "UnsupportedMediaType", text))


def expired(asked: int, oldest: int) -> dict[str, Any]:
    """A watch from a version that the server has forgotten."""
    return status(410, "Expired", f"too old resource version: {asked} ({oldest})")


def forbidden(user: str, access: Access, kind: Kind) -> RefusedError:
    """An access that no rule allows."""
    sub = access.subresource
    resource = f"{kind.plural}/{sub}" if sub else kind.plural
    subject = f'{kind.qualified} "{access.name}"' if access.name else kind.qualified
    space = access.namespace
    where = f'in the namespace "{space}"' if space else "at the cluster scope"
    text = (
        f'{subject} is forbidden: User "{user}" cannot {access.verb} resource "{resource}" '
        f'in API group "{kind.group}" {where}'
    )
    return RefusedError(status(403, "Forbidden", text, _details(kind, access.name)))


def _details(kind: Kind, name: str) -> dict[str, Any]:
    fields = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in fields.items() if value}
