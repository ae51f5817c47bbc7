"""The checks of a cookie source: its answers, and that the cookie shows up nowhere."""

from __future__ import annotations

import io
import logging
import pickle
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Final

from erlconnect.contract import Cookie
from erlconnect.testing.kit import (
    DEADLINE_SECONDS,
    cancelled_early,
    demand,
    demand_type,
    nothing_left,
    within,
)

if TYPE_CHECKING:
    from erlconnect.contract import CookieSource, Target

_MOST_CHARACTERS: Final = 255  # of an atom
_HIGHEST_CHARACTER: Final = "\xff"


async def check_cookie_source(source: CookieSource, target: Target) -> None:
    """Check a cookie source that has a cookie for ``target``.

    While the cookie is fetched, stdout, stderr and the root logger are recorded. Cancelled, it
    leaves behind what ``source`` leaves.
    """
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with redirect_stdout(said), redirect_stderr(said):
            async with nothing_left("fetch()"):
                cookie = await _fetched(source, target)
                again = await _fetched(source, target)
    finally:
        root.removeHandler(handler)
    text = cookie.reveal()
    demand(again.reveal() == text, "two calls of fetch() must give the same cookie")
    _check_text(text)
    _check_silence(text, cookie, source, said.getvalue())

    async def fetch() -> None:
        await source.fetch(target)

    await cancelled_early(fetch, "fetch()")


async def _fetched(source: CookieSource, target: Target) -> Cookie:
    cookie = await within(source.fetch(target), "fetch()", DEADLINE_SECONDS)
    if cookie is None:
        raise AssertionError("fetch() gave None: let it have a cookie while it is checked")
    demand_type(cookie, Cookie, "what fetch() gives")
    return cookie


def _check_text(text: str) -> None:
    # Nothing here may quote the text.
    demand(text, "a cookie must not be empty")
    demand(len(text) <= _MOST_CHARACTERS, f"a cookie has at most {_MOST_CHARACTERS} characters")
    demand(max(text) <= _HIGHEST_CHARACTER, "a cookie must hold characters U+0000 to U+00FF only")
    # A newline ends a file or a program's output, and is no part of the cookie.
    demand(text == text.strip("\r\n"), "a cookie must not begin or end with a newline")


def _check_silence(text: str, cookie: Cookie, source: CookieSource, said: str) -> None:
    demand(cookie.origin.strip(), "a cookie must say its origin")
    demand(text not in cookie.origin, "the origin of a cookie must not hold the cookie")
    for shown in (repr(cookie), str(cookie), f"{cookie}", repr(source), str(source)):
        demand(text not in shown, "neither a cookie nor its source may show the cookie as text")
    demand(text not in said, "fetch() must not print or log the cookie")
    try:
        pickled = pickle.dumps(cookie)
    # ``Cookie`` itself cannot be pickled; a subclass may have changed that.
    except TypeError:
        return
    demand(text.encode("latin-1") not in pickled, "a cookie must not be pickled")
