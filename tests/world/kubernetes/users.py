"""Who may ask the API server double: bearer tokens and the users that they stand for."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from world.kubernetes.statuses import unauthorized

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

    def authenticate(self, authorization: str) -> User:
        """The user of an ``Authorization`` header. Raises RefusedError for an invalid token."""
        if not authorization:
            return _ANONYMOUS
        token = authorization[len(_SCHEME) :].strip()
        if not authorization.lower().startswith(_SCHEME) or token not in self._tokens:
            raise unauthorized()
        return self._tokens[token]
