"""The cookies of a session: the target's by its sources, the local one by its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.api import Cookie
from erlconnect.cookie_file import local_cookie_file, read_cookie_file
from erlconnect.errors import CookieNotFoundError
from erlconnect.plugin_catalogue.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from erlconnect.api import Target
    from erlconnect.session.offers import Offers

PASSTHROUGH: Final = "passthrough"
PROMPT: Final = "prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCookie:
    """The cookie that ``source`` gave; ``None`` with ``passthrough``, where nobody asks for it."""

    source: str
    cookie: Cookie | None


async def remote_cookie(
    offers: Offers, target: Target, *, ask: bool, warn: Callable[[str], None]
) -> RemoteCookie:
    """Ask the cookie sources of ``target``, best first, until one has it.

    Without ``ask`` nobody is asked anything (``--no-input``).
    """
    asked = []
    for name, source in offers.cookie_sources(target):
        if name == PASSTHROUGH:
            return RemoteCookie(source=name, cookie=None)
        if name == PROMPT and not ask:
            raise CookieNotFoundError(
                "the cookie would have to be typed, and --no-input forbids to ask for it",
                remedy="Name another source with `--cookie-from`, or leave out --no-input.",
            )
        with offers.catalogue.blaming(Kind.COOKIE_SOURCE, name, "fetch()"):
            cookie = await source.fetch(target)
        if cookie is not None:
            if cookie.note:
                warn(cookie.note)
            return RemoteCookie(source=name, cookie=cookie)
        asked.append(name)
    raise CookieNotFoundError(
        f"no cookie for {target.node}: {', '.join(asked)} had none",
        remedy="Name a source with `--cookie-from`, e.g. `--cookie-from file:PATH`.",
    )


def local_cookie(path: Path | None) -> Cookie:
    """Read the local nodes' cookie, making its file as Erlang does if it is missing."""
    file = local_cookie_file(path)
    return Cookie(read_cookie_file(file), origin=str(file))
