"""Cookie source ``prompt``: the person at the terminal types the cookie, unseen.

Knows the question and what an answer means. Refuses to know how a terminal works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    Cookie,
    CookieNotFoundError,
    Offer,
    Settings,
    TimedOutError,
    cookie_text,
    hookimpl,
)
from erlconnect_plugins.cookies.terminal import ask_hidden

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Target

DEADLINE_SECONDS: Final = 300.0


class PromptSettings(Settings):
    """Settings of ``prompt``: none."""


class PromptCookieSource:
    """Asks once for each cookie that is wanted."""

    def __init__(self, settings: PromptSettings) -> None:
        del settings

    async def fetch(self, target: Target) -> Cookie:
        """Give what is typed, without blanks around it.

        Raises ``CookieNotFoundError`` where there is no terminal or nothing was typed, and
        ``TimedOutError`` after five minutes. Cancelled, it leaves the terminal as it was.
        """
        answer = (await _answer(f"Cookie of {target.node}: ")).strip()
        if not answer:
            raise CookieNotFoundError(
                f"No cookie of {target.node} was typed",
                remedy="Type it when asked, or name another source with --cookie-from.",
            )
        return Cookie(cookie_text(answer, place="The answer"), origin="typed at the terminal")


async def _answer(question: str) -> bytes:
    try:
        return await ask_hidden(question, deadline=DEADLINE_SECONDS)
    except TimeoutError as error:
        raise TimedOutError(
            f"Nobody answered within {DEADLINE_SECONDS:.0f} s: {question.rstrip(': ')}",
            remedy="Start again, or name another source with --cookie-from.",
        ) from error
    except OSError as error:
        raise CookieNotFoundError(
            f"There is no terminal to ask for the cookie ({error.strerror})",
            remedy="Name a source that asks nobody, e.g. --cookie-from env:NAME or file:PATH.",
        ) from error


@hookimpl
def erlconnect_cookie_sources() -> Sequence[Offer]:
    """Offer ``prompt``."""
    return [
        Offer(
            name="prompt",
            summary="Ask for it at the terminal",
            settings=PromptSettings,
            create=PromptCookieSource,
        )
    ]
