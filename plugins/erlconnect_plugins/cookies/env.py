"""Cookie source ``env``: an environment variable of the user's own shell.

The backends read the environment of the remote node; this source reads only that of this process.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from erlconnect.api import Cookie, CookieNotFoundError, Offer, Settings, cookie_text, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Target


class EnvSettings(Settings):
    """Settings of ``env``."""

    argument: ClassVar[str | None] = "name"

    name: str = Field(
        min_length=1, description="The environment variable of this machine that holds the cookie."
    )


class EnvCookieSource:
    """Reads one environment variable, always afresh."""

    def __init__(self, settings: EnvSettings) -> None:
        self._name = settings.name

    async def fetch(self, target: Target) -> Cookie:
        """Return the variable's value without newlines at its end; the note says if there were any.

        ``RELEASE_COOKIE`` keeps them, because a release takes it literally.

        Raises ``CookieNotFoundError`` where it is unset or empty.
        """
        del target  # one variable for all of them
        place = f"variable {self._name}"
        value = os.environ.get(self._name)
        if value is None:
            raise CookieNotFoundError(
                f"The environment variable {self._name} is not set",
                remedy=f"Export {self._name} in this shell, or name another with --cookie-from.",
            )
        # fsencode undoes how Python decoded the variable, and returns its bytes as they were.
        text = cookie_text(os.fsencode(value), place=f"The environment {place}")
        stripped = text if self._name == "RELEASE_COOKIE" else text.rstrip("\r\n")
        if not stripped.strip("\r\n"):
            raise CookieNotFoundError(
                f"The environment variable {self._name} is empty",
                remedy=f"Set {self._name} to the cookie, or name another with --cookie-from.",
            )
        note = "" if stripped == text else f"a newline at the end of the {place} was left out"
        return Cookie(stripped, origin=place, note=note)


@hookimpl
def erlconnect_cookie_sources() -> Sequence[Offer]:
    """Offer ``env``."""
    return [
        Offer(
            name="env",
            summary="An environment variable of this machine",
            settings=EnvSettings,
            create=EnvCookieSource,
        )
    ]
