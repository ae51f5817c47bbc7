"""Who asks the API server double: the users that bearer tokens and certificates stand for."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from world.kubernetes.statuses import unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping

ADMINISTRATORS: Final = "system:masters"
_SCHEME: Final = "bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An authenticated user."""

    name: str
    groups: tuple[str, ...] = ()


_ANONYMOUS: Final = User(name="system:anonymous", groups=("system:unauthenticated",))


class Users:
    """The tokens that are valid now."""

    def __init__(self) -> None:
        self._tokens: dict[str, User] = {}

    def add(self, name: str, *groups: str) -> str:
        """A new token for the user ``name``."""
        token = f"{name}-{secrets.token_hex(12)}"
        self._tokens[token] = User(name=name, groups=(*groups, "system:authenticated"))
        return token

    def expire(self, token: str) -> None:
        """From now on the token is answered with 401."""
        del self._tokens[token]

    def authenticate(self, authorization: str, certificate: Mapping[str, Any] | None) -> User:
        """The user of an ``Authorization`` header, or else of a certificate that was verified.

        Raises RefusedError for an invalid token.
        """
        if not authorization:
            return _holder(certificate) if certificate else _ANONYMOUS
        token = authorization[len(_SCHEME) :].strip()
        if not authorization.lower().startswith(_SCHEME) or token not in self._tokens:
            raise unauthorized()
        return self._tokens[token]


def _holder(certificate: Mapping[str, Any]) -> User:
    """The user that a certificate, as ``getpeercert`` tells it, was issued to."""
    pairs = [pair for part in certificate["subject"] for pair in part]
    groups = [value for key, value in pairs if key == "organizationName"]
    return User(name=dict(pairs)["commonName"], groups=(*groups, "system:authenticated"))
