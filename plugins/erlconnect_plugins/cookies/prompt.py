"""Cookie source ``prompt``: the person at the terminal types the cookie, unseen.

``ask_hidden`` reads one line from the terminal itself, because standard input and output may be
pipes. It switches the terminal's echo off and, however it ends, on again.
"""

from __future__ import annotations

import asyncio
import os
import termios
from contextlib import contextmanager, suppress
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlconnect.api import Target

DEADLINE_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.05
_MAX_LINE_BYTES: Final = 4096
_LOCAL_MODES: Final = 3  # where tcgetattr's list holds them


class PromptSettings(Settings):
    """Settings of ``prompt``: none."""


class PromptCookieSource:
    """Asks once for each cookie that is wanted."""

    def __init__(self, settings: PromptSettings) -> None:
        del settings

    async def fetch(self, target: Target) -> Cookie:
        """Return what is typed, without blanks around it.

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


async def ask_hidden(question: str, *, deadline: float) -> bytes:
    """Return the line that somebody types in answer to ``question``; ``b""`` for Ctrl-D.

    Raises ``OSError`` where there is no terminal and ``TimeoutError`` after ``deadline`` seconds.
    Then, and when cancelled, the terminal shows again what is typed.
    """
    # Non-blocking for the polling below; O_NOCTTY: it must not become the controlling terminal.
    terminal = os.open(os.ctermid(), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        with _echo_off(terminal):
            os.write(terminal, question.encode())
            async with asyncio.timeout(deadline):
                return await _line(terminal)
    finally:
        os.close(terminal)


@contextmanager
def _echo_off(terminal: int) -> Iterator[None]:
    try:
        before, hidden = termios.tcgetattr(terminal), termios.tcgetattr(terminal)
    except termios.error as error:
        raise OSError(*error.args) from error
    hidden[_LOCAL_MODES] &= ~termios.ECHO
    try:
        # TCSAFLUSH also drops what was typed, and shown, before the question.
        termios.tcsetattr(terminal, termios.TCSAFLUSH, hidden)
        yield
    finally:
        # A terminal that was closed meanwhile needs nothing.
        with suppress(termios.error, OSError):
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
            os.write(terminal, b"\n")  # the one that was typed was not shown


async def _line(terminal: int) -> bytes:
    # By polling: kqueue refuses /dev/tty, and a thread that reads could not be cancelled.
    typed = b""
    while b"\n" not in typed and len(typed) < _MAX_LINE_BYTES:
        try:
            more = os.read(terminal, _MAX_LINE_BYTES)
        except BlockingIOError:
            await asyncio.sleep(_POLL_SECONDS)
            continue
        if not more:
            break
        typed += more
    return typed.partition(b"\n")[0]


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
