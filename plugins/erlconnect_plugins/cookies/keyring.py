"""Cookie source ``keyring``: the password store of this machine's desktop or system.

This file says which entry is read and what an error of the store means for the user. The library
``keyring`` finds the store: https://keyring.readthedocs.io
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from erlconnect.api import (
    ConfigurationError,
    Cookie,
    CookieNotFoundError,
    Offer,
    Settings,
    TimedOutError,
    cookie_text,
    hookimpl,
)
from erlconnect.net.threads import in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Target

# A locked store asks its owner for a password first.
DEADLINE_SECONDS: Final = 120.0


class KeyringSettings(Settings):
    """Settings of ``keyring``."""

    argument: ClassVar[str | None] = "name"

    name: str = Field(
        default="",
        description="The entry's user name; without it the part of the node's name before the '@'.",
    )
    service: str = Field(
        default="erlconnect", min_length=1, description="The service that the entry belongs to."
    )


class KeyringCookieSource:
    """Asks the store once for each cookie that is wanted."""

    def __init__(self, settings: KeyringSettings) -> None:
        self._service = settings.service
        self._name = settings.name

    async def fetch(self, target: Target) -> Cookie:
        """Return the entry's password, without blanks around it.

        Raises ``CookieNotFoundError`` where there is no entry, ``ConfigurationError`` where no
        store can be used, and ``TimedOutError`` after two minutes.
        """
        name = self._name or target.node.name
        place = f"entry {name} of {self._service} in the keyring"
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                password = await in_daemon_thread(
                    lambda: _password(self._service, name), name="erlconnect keyring"
                )
        except TimeoutError as error:
            raise TimedOutError(
                f"The keyring did not give the {place} within {DEADLINE_SECONDS:.0f} s",
                remedy="Unlock it, and try again.",
            ) from error
        text = cookie_text((password or "").strip().encode(), place=f"The {place}")
        if not text:
            raise CookieNotFoundError(
                f"There is no {place}",
                remedy=f"Store the cookie with `keyring set {self._service} {name}`, "
                "or name another entry with --cookie-from keyring:NAME.",
            )
        return Cookie(text, origin=place)


def _password(service: str, name: str) -> str | None:
    import keyring  # noqa: PLC0415 - it looks for stores when it is imported
    from keyring.errors import KeyringError  # noqa: PLC0415

    try:
        return keyring.get_password(service, name)
    except KeyringError as error:
        store = type(keyring.get_keyring())
        raise ConfigurationError(
            f"The keyring ({store.__module__}.{store.__qualname__}) could not be read: "
            f"{str(error) or type(error).__name__}",
            remedy="Unlock it, or name a store as `keyring --list-backends` does in "
            "PYTHON_KEYRING_BACKEND, or another source with --cookie-from.",
        ) from error


@hookimpl
def erlconnect_cookie_sources() -> Sequence[Offer]:
    """Offer ``keyring``."""
    return [
        Offer(
            name="keyring",
            summary="The password store of this machine",
            settings=KeyringSettings,
            create=KeyringCookieSource,
            needs=("keyring",),
            install="pip install 'erlconnect[keyring]'",
        )
    ]
