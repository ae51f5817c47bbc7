"""Cookie source ``command``: what a program of the user's prints, e.g. a password manager.

The program is run without a shell: pipes and variables belong into ``sh -c '...'``. Only the first
line of its output is the cookie, and nothing that it prints is shown unless it is redacted.
"""

from __future__ import annotations

import shlex
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
    redact,
    remember,
)
from erlconnect.net.subprocesses import ChildOutput, child_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Target

DEADLINE_SECONDS: Final = 30.0
_MAX_SHOWN_CHARACTERS: Final = 500
_MAX_REMEMBERED_LINES: Final = 20


class CommandSettings(Settings):
    """Settings of ``command``."""

    argument: ClassVar[str | None] = "command"

    command: str = Field(
        min_length=1,
        description="The program, with its arguments, whose first line of output is the cookie;"
        " it is run without a shell.",
    )


class CommandCookieSource:
    """Runs one program for each cookie that is asked for."""

    def __init__(self, settings: CommandSettings) -> None:
        self._arguments = _split(settings.command)

    async def fetch(self, target: Target) -> Cookie:
        """Return the first line that the program prints, without blanks around it.

        Raises ``ConfigurationError`` where it cannot be run, ``CookieNotFoundError`` where it
        fails or prints nothing, ``TimedOutError`` after 30 s. Cancelled, it leaves no child.
        """
        del target  # one program for all of them
        program = self._arguments[0]
        output = await self._run(program)
        if output.status:
            raise _failed(program, output)
        line = output.stdout.strip().partition(b"\n")[0].strip()
        if not line:
            raise CookieNotFoundError(
                f"The cookie command {program} printed nothing",
                remedy="Run it by hand; its first line of output has to be the cookie.",
            )
        text = cookie_text(line, place=f"The first line that the cookie command {program} printed")
        return Cookie(text, origin=f"command {program}")

    async def _run(self, program: str) -> ChildOutput:
        try:
            return await child_output(self._arguments, deadline=DEADLINE_SECONDS)
        except TimeoutError as error:
            raise TimedOutError(
                f"The cookie command {program} did not end within {DEADLINE_SECONDS:.0f} s",
                remedy="Run it by hand; it must not wait for input.",
            ) from error
        except OSError as error:
            raise ConfigurationError(
                f"The cookie command {program} could not be started: {error.strerror}",
                remedy="Check its name and the PATH; it is run without a shell.",
            ) from error


def _split(command: str) -> list[str]:
    # The text itself stays out of the messages: it may hold a token.
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise ConfigurationError(
            f"The cookie command cannot be split into words: {error}",
            remedy="Close its quotes as for a shell.",
        ) from None
    if not arguments:
        raise ConfigurationError(
            "The cookie command is blank", remedy="Name a program: --cookie-from command:PROGRAM."
        )
    return arguments


def _failed(program: str, output: ChildOutput) -> CookieNotFoundError:
    """Return the error with the program's own words, without what it printed of the cookie."""
    # A program may fail after it has printed the cookie, and repeat it in its errors.
    for line in output.stdout.splitlines()[:_MAX_REMEMBERED_LINES]:
        remember(line.decode(errors="replace").strip())
    words = redact(output.stderr.decode(errors="replace").strip())[-_MAX_SHOWN_CHARACTERS:]
    how = f"exit status {output.status}" if output.status > 0 else f"signal {-output.status}"
    return CookieNotFoundError(
        f"The cookie command {program} failed with {how}" + (f": {words}" if words else ""),
        remedy="Run it by hand; its first line of output has to be the cookie.",
    )


@hookimpl
def erlconnect_cookie_sources() -> Sequence[Offer]:
    """Offer ``command``."""
    return [
        Offer(
            name="command",
            summary="The output of a program of this machine",
            settings=CommandSettings,
            create=CommandCookieSource,
        )
    ]
