"""The cookies of a handshake: the target's by its cookie sources, the local one by its file.

A cookie is fetched when the target has answered, before its alias appears.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.contract import Cookie
from erlconnect.cookie_file import local_cookie_file, read_cookie_file
from erlconnect.errors import CookieNotFoundError, ErlconnectError
from erlconnect.plugin_manager.validation import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from erlconnect.contract import Settings, Target
    from erlconnect.session.plugin_resolver import CookieSourceChoice, PluginResolver

PASSTHROUGH: Final = "passthrough"
PROMPT: Final = "prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCookie:
    """The cookie and its source; ``None`` with ``passthrough``, where the handshake needs none."""

    source: str
    cookie: Cookie | None


class RemoteCookies:
    """Asks the cookie sources for the targets of one TARGET, which may connect at the same time.

    A source that no target refers to knows nothing of targets, and may ask a person: it is asked
    once for all of them. A cookie is kept; a source that failed or had none is asked again by the
    next target that comes, not by those that were waiting.
    """

    def __init__(self, plugins: PluginResolver, warn: Callable[[str], None]) -> None:
        self._plugins = plugins
        self._warn = warn
        self._shared: list[_SharedFetch] = []

    async def fetch(self, target: Target, *, ask: bool) -> RemoteCookie:
        """Ask the cookie sources of ``target``, best first, until one has it.

        Without ``ask`` no person is asked (``--no-input``). Raises ``CookieNotFoundError`` where
        none has it, and what a source raises.
        """
        empty = []
        for choice in self._plugins.cookie_sources(target):
            if choice.name == PASSTHROUGH:
                return RemoteCookie(source=choice.name, cookie=None)
            # Here, because a plugin does not learn of --no-input.
            if choice.name == PROMPT and not ask:
                raise CookieNotFoundError(
                    "the cookie would have to be typed, and --no-input forbids to ask for it",
                    remedy="Name another source with `--cookie-from`, or leave out --no-input.",
                )
            if choice.by_target:
                cookie = await self._fetch(choice, target)
            else:
                cookie = await self._fetch_shared(choice, target)
            if cookie is not None:
                return RemoteCookie(source=choice.name, cookie=cookie)
            # To have none is no error, and the next one is asked; an error ends the search.
            empty.append(choice.name)
        raise CookieNotFoundError(
            f"no cookie for {target.node}: {', '.join(empty)} had none",
            remedy="Name a source with `--cookie-from`, e.g. `--cookie-from file:PATH`.",
        )

    async def _fetch(self, choice: CookieSourceChoice, target: Target) -> Cookie | None:
        with self._plugins.catalogue.attribute_errors(Kind.COOKIE_SOURCE, choice.name, "fetch()"):
            cookie = await choice.source.fetch(target)
        if cookie is not None and cookie.note:
            self._warn(cookie.note)
        return cookie

    async def _fetch_shared(self, choice: CookieSourceChoice, target: Target) -> Cookie | None:
        while shared := self._shared_with(choice):
            await asyncio.wait([shared.answer])
            # The task that asked was cancelled: that is no answer, so this one asks.
            if not shared.answer.cancelled():
                return shared.answer.result()
        shared = _SharedFetch(
            name=choice.name,
            settings=choice.settings,
            answer=asyncio.get_running_loop().create_future(),
        )
        self._shared.append(shared)
        try:
            cookie = await self._fetch(choice, target)
        except ErlconnectError as error:
            shared.answer.set_exception(error)
            # Mark it as retrieved: asyncio logs an exception that no other task waits for.
            shared.answer.exception()
            raise
        else:
            shared.answer.set_result(cookie)
            return cookie
        finally:
            # Without effect on an answer that is there: a cancelled task wakes those that wait.
            shared.answer.cancel()
            if not shared.holds_cookie:
                self._shared.remove(shared)

    def _shared_with(self, choice: CookieSourceChoice) -> _SharedFetch | None:
        # Settings may hold lists, which have no hash; there are two or three of them at most.
        for shared in self._shared:
            if (shared.name, shared.settings) == (choice.name, choice.settings):
                return shared
        return None


def local_cookie(path: Path | None) -> Cookie:
    """Read the local nodes' cookie, making its file as Erlang does if it is missing.

    Raises ``ErlconnectError`` where the file cannot be used.
    """
    file = local_cookie_file(path)
    return Cookie(read_cookie_file(file), origin=str(file))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _SharedFetch:
    """One question to a cookie source with these settings, and its answer when it is there."""

    name: str
    settings: Settings
    answer: asyncio.Future[Cookie | None]

    @property
    def holds_cookie(self) -> bool:
        answer = self.answer
        return not answer.cancelled() and not answer.exception() and answer.result() is not None
