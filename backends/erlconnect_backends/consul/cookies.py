"""Cookie source ``consul-kv``: the value of a key in Consul's key/value store.

py-consul is imported when the cookie is fetched: listing the plugins has to be quick.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from erlconnect.api import (
    Cookie,
    CookieNotFoundError,
    ErlconnectError,
    Offer,
    cookie_text,
    hookimpl,
)
from erlconnect_backends.consul.access import AccessSettings, access_of
from erlconnect_backends.consul.errors import read_rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import CookieSource, Query, SessionApi, Target
    from erlconnect_backends.consul.access import Access


class KeyValueSettings(AccessSettings):
    """Settings of ``consul-kv``."""

    argument: ClassVar[str | None] = "key"

    key: str = Field(
        pattern=r"[^/]", description="The key that holds the cookie, e.g. erlang/cookie."
    )


class KeyValueCookieSource:
    """Reads one key, always afresh."""

    def __init__(self, settings: KeyValueSettings) -> None:
        self._settings = settings
        self._key = settings.key.lstrip("/")

    async def fetch(self, target: Target) -> Cookie:
        """Return the key's value without newlines at its end; the note says if there were any.

        Raises ``CookieNotFoundError`` where there is no such key or its value is empty,
        ``RefusedError`` where the token may not read it, ``ConfigurationError`` where the value
        cannot be a cookie, ``LookupFailedError`` where Consul could not answer. Cancelled, it
        leaves nothing behind.
        """
        del target  # one key for all of them
        try:
            access = await asyncio.to_thread(access_of, self._settings)
            value = await _value(access, self._key)
        except ErlconnectError as error:
            # Settings of a cookie source have another name on the command line.
            remedy = error.remedy.replace("-o ", "-o cookie.")
            raise type(error)(error.message, remedy=remedy) from error
        place = f"The key {self._key} of Consul at {access.address}"
        if value is None:
            raise CookieNotFoundError(
                f"{place} does not exist",
                remedy=f"Store the cookie there (`consul kv put {self._key} -`), or correct the"
                " key or -o cookie.datacenter=.",
            )
        return self._cookie(value, place)

    def _cookie(self, value: bytes, place: str) -> Cookie:
        # Editors and `echo` end a text with a newline, and no cookie ends with one.
        stripped = value.rstrip(b"\r\n")
        if not stripped:
            raise CookieNotFoundError(
                f"{place} exists, and its value is empty",
                remedy=f"Store the cookie there: `consul kv put {self._key} -`.",
            )
        note = (
            "" if stripped == value else f"a newline at the end of the key {self._key} was left out"
        )
        return Cookie(
            cookie_text(stripped, place=place), origin=f"consul key {self._key}", note=note
        )

    async def rights(self, query: Query, session: SessionApi) -> str:
        """Return the rule of an ACL policy that lets the key be read."""
        del query, session  # one key for all of them
        return read_rule("key", self._key)


async def _value(access: Access, key: str) -> bytes | None:
    from erlconnect_backends.consul.agent import ConsulClient  # noqa: PLC0415 - imports py-consul

    return await ConsulClient(access).value(key)


def _create(settings: KeyValueSettings) -> CookieSource:
    return KeyValueCookieSource(settings)


@hookimpl
def erlconnect_cookie_sources() -> Sequence[Offer]:
    """Offer ``consul-kv``."""
    return [
        Offer(
            name="consul-kv",
            summary="The value of a key in Consul's key/value store",
            settings=KeyValueSettings,
            create=_create,
            needs=("consul",),
            install="pip install 'erlconnect[consul]'",
        )
    ]
