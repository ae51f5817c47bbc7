"""The cookies of a session: the target's by its sources, the local one by its file."""

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
    """The cookie that ``source`` gave; ``None`` with ``passthrough``, where nobody asks for it."""

    source: str
    cookie: Cookie | None


class RemoteCookies:
    """Asks the cookie sources for the targets of one TARGET, which may be found at the same time.

    A source that no target refers to knows nothing of targets, and may ask a person: it is asked
    once for all of them. A cookie is kept; a source that failed or had none is asked again by the
    next target that comes, not by those that were waiting.
    """

    def __init__(self, offers: PluginResolver, warn: Callable[[str], None]) -> None:
        self._offers = offers
        self._warn = warn
        self._shared: list[_SharedFetch] = []

    async def fetch(self, target: Target, *, ask: bool) -> RemoteCookie:
        """Ask the cookie sources of ``target``, best first, until one has it.

        Without ``ask`` nobody is asked anything (``--no-input``). Raises ``ErlconnectError``.
        """
        asked = []
        for choice in self._offers.cookie_sources(target):
            if choice.name == PASSTHROUGH:
                return RemoteCookie(source=choice.name, cookie=None)
            if choice.name == PROMPT and not ask:
                raise CookieNotFoundError(
                    "the cookie would have to be typed, and --no-input forbids to ask for it",
                    remedy="Name another source with `--cookie-from`, or leave out --no-input.",
                )
            if choice.by_target:
                cookie = await self._ask(choice, target)
            else:
                cookie = await self._ask_once(choice, target)
            if cookie is not None:
                return RemoteCookie(source=choice.name, cookie=cookie)
            asked.append(choice.name)
        raise CookieNotFoundError(
            f"no cookie for {target.node}: {', '.join(asked)} had none",
            remedy="Name a source with `--cookie-from`, e.g. `--cookie-from file:PATH`.",
        )

    async def _ask(self, choice: CookieSourceChoice, target: Target) -> Cookie | None:
        with self._offers.catalogue.attribute_errors(Kind.COOKIE_SOURCE, choice.name, "fetch()"):
            cookie = await choice.source.fetch(target)
        if cookie is not None and cookie.note:
            self._warn(cookie.note)
        return cookie

    async def _ask_once(self, choice: CookieSourceChoice, target: Target) -> Cookie | None:
        while shared := self._shared_with(choice):
            await asyncio.wait([shared.answer])
            # Whoever asked was cancelled: that is no answer, and another one has to ask.
            if not shared.answer.cancelled():
                return shared.answer.result()
        shared = _SharedFetch(
            name=choice.name,
            settings=choice.settings,
            answer=asyncio.get_running_loop().create_future(),
        )
        self._shared.append(shared)
        try:
            cookie = await self._ask(choice, target)
        except ErlconnectError as error:
            shared.answer.set_exception(error)
            # It is raised here, too: nobody else may be waiting.
            shared.answer.exception()
            raise
        else:
            shared.answer.set_result(cookie)
            return cookie
        finally:
            shared.answer.cancel()
            if not shared.holds_cookie:
                self._shared.remove(shared)

    def _shared_with(self, choice: CookieSourceChoice) -> _SharedFetch | None:
        # Settings may hold lists, which have no hash; there are two or three of them at most.
        for shared in self._shared:
            if (shared.name, shared.settings) == (choice.name, choice.settings):
                return shared
        return None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _SharedFetch:
    """What a cookie source with these settings answers, or has answered."""

    name: str
    settings: Settings
    answer: asyncio.Future[Cookie | None]

    @property
    def holds_cookie(self) -> bool:
        answer = self.answer
        return not answer.cancelled() and not answer.exception() and answer.result() is not None


def local_cookie(path: Path | None) -> Cookie:
    """Read the local nodes' cookie, making its file as Erlang does if it is missing."""
    file = local_cookie_file(path)
    return Cookie(read_cookie_file(file), origin=str(file))
