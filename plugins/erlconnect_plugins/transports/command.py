"""Transport ``command``: a program whose standard input and output are the stream.

One child for each stream, e.g. ``ssh -W %h:%p bastion``. This file makes the program's words from
the setting and says what its end means; ``net/subprocesses.py`` starts and ends it. The child holds
one end of a socketpair as its stdin and stdout, so that no byte passes through this process.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar, Final

from pydantic import Field

from erlconnect.api import (
    ConfigurationError,
    Offer,
    Settings,
    UnreachableError,
    UsageError,
    hookimpl,
)
from erlconnect.net.subprocesses import StdioChild

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Mapping, Sequence

    from erlconnect.api import Target

# A program that cannot reach its goal at all mostly says so at once.
_FAILS_AT_ONCE_SECONDS: Final = 0.25
_PLACEHOLDER: Final = re.compile(r"%(.)")


class CommandTransportSettings(Settings):
    """Settings of ``command``."""

    argument: ClassVar[str | None] = "command"

    command: str = Field(
        min_length=1,
        description="The program with its arguments; %h is the target's address, %p the port,"
        " %n the node's name, %% a percent sign.",
    )
    shell: bool = Field(
        default=False, description="Let /bin/sh run it, for pipes and variables in it."
    )


class CommandTransport:
    """Starts one program for each stream."""

    def __init__(self, settings: CommandTransportSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def open(self, target: Target) -> AsyncIterator[CommandDialer]:
        """Return a dialer; leaving ends every program that it started."""
        failure: Exception | None = None
        async with asyncio.TaskGroup() as tasks:
            dialer = CommandDialer(self._settings, target, tasks)
            try:
                yield dialer
            except Exception as error:  # noqa: BLE001 - a group would wrap the caller's error
                # It is kept here, and raised again when the group has ended.
                failure = error
            finally:
                dialer.end_all()
        if failure:
            raise failure


class CommandDialer:
    """Starts the program anew for every dial, and remembers how each one ended."""

    def __init__(
        self, settings: CommandTransportSettings, target: Target, tasks: asyncio.TaskGroup
    ) -> None:
        self._settings = settings
        self._target = target
        self._tasks = tasks
        self._children: list[StdioChild] = []

    async def dial(self, port: int) -> socket.socket:
        """Return our end of a socketpair whose other end is a new program's stdin and stdout.

        Raises ``UsageError`` or ``ConfigurationError`` where the program cannot be run, and
        ``UnreachableError`` where it ends at once. Cancelled, it leaves no program behind.
        """
        arguments = self._arguments(port)
        try:
            child = await StdioChild.start(arguments, self._tasks, own_session=self._settings.shell)
        except OSError as error:
            raise ConfigurationError(
                f"the program {arguments[0]} could not be started: {error.strerror}",
                remedy="Check its name and the PATH; without `shell=true` no shell runs it.",
            ) from error
        self._children = [one for one in self._children if not one.closed] + [child]
        try:
            ended = await child.finished_within(_FAILS_AT_ONCE_SECONDS)
        # A cancelled dial returns no stream, so that nobody else would close it.
        except BaseException:
            child.close()
            raise
        if ended:
            child.close()
            raise UnreachableError(child.end_text, remedy="Run the command by hand to see why.")
        return child.stream

    async def why_ended(self, stream: socket.socket) -> str:
        """Return how the program behind ``stream`` ended; empty where it is still running."""
        for child in self._children:
            if child.stream is stream and await child.finished_within(1.0):
                return child.end_text
        return ""

    def end_all(self) -> None:
        """End every program; those that do not end by themselves are killed."""
        for child in self._children:
            child.close()

    def _arguments(self, port: int) -> list[str]:
        values = {
            "h": self._target.address,
            "p": str(port),
            "n": str(self._target.node),
            "%": "%",
        }
        if self._settings.shell:
            # The name and the address come from the network: the shell must not interpret them.
            quoted = {key: shlex.quote(value) for key, value in values.items()}
            return ["/bin/sh", "-c", _expand(self._settings.command, quoted | {"%": "%"})]
        try:
            # Split first and fill in then: a value with a blank stays one argument.
            words = shlex.split(self._settings.command)
        except ValueError as error:
            raise UsageError(
                f"the command cannot be split into words: {error}",
                remedy="Close its quotes as for a shell.",
            ) from None
        if not words:
            raise UsageError("the command is blank", remedy="Name a program and its arguments.")
        return [_expand(word, values) for word in words]


def _expand(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise UsageError(
                f"the command holds %{match[1]}, which stands for nothing",
                remedy="Known are %h (address), %p (port), %n (node) and %% (a percent sign).",
            )
        return values[match[1]]

    return _PLACEHOLDER.sub(value, text)


@hookimpl
def erlconnect_transports() -> Sequence[Offer]:
    """Offer ``command``."""
    return [
        Offer(
            name="command",
            summary="A program whose stdin and stdout are the stream, such as ssh -W",
            settings=CommandTransportSettings,
            create=CommandTransport,
        )
    ]
