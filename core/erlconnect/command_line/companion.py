"""A session that lasts as long as one child: what ``shell`` and ``run`` have in common.

The child has our terminal, our process group and our streams, so that keys, job control and pipes
work as if nobody stood between. Its exit code becomes ours. It starts when the session stands; a
session that cannot open starts none, and one that fails later ends it.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.child_signals import ChildSignals
from erlconnect.command_line.companion_reporting import CompanionReporter
from erlconnect.command_line.serving import log_to_stderr, ready_catalogue
from erlconnect.command_line.terminal_state import terminal_restored
from erlconnect.errors import ConfigurationError
from erlconnect.session.groups import first_error
from erlconnect.session.session import Session

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from erlconnect.session.choices import Choices
    from erlconnect.session.events import Ready
    from erlconnect.session.slots import Slot

# erl takes a second or two to stop in good order.
_END_SECONDS: Final = 5.0
_SIGNAL_BASE: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What to start: its words, and all of its environment."""

    words: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Companionship:
    """The session to open and how it is told of.

    ``prepare`` gives the child for a session that is ready; the reporter knows what was refused.
    """

    choices: Choices
    slot: Slot
    prepare: Callable[[Ready, CompanionReporter], Awaitable[Child]]
    config: Path | None
    quiet: bool
    verbose: bool


def accompany(companionship: Companionship) -> int:
    """Open the session, run the child, end the session; give the exit code."""
    if companionship.verbose:
        log_to_stderr()
    return asyncio.run(_accompany(companionship))


async def _accompany(companionship: Companionship) -> int:
    reporter = CompanionReporter(quiet=companionship.quiet)
    session = Session(
        companionship.choices,
        ready_catalogue(companionship.config, reporter),
        reporter,
        os.environ,
        companionship.slot,
        private_epmd=True,
    )
    task = asyncio.current_task()
    assert task  # noqa: S101 - we run in one
    signals = ChildSignals(while_opening=task.cancel)
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(session.run())
            child = await companionship.prepare(await reporter.ready, reporter)
            code = await _run(child, signals, reporter)
            running.cancel()
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None
    except asyncio.CancelledError:
        if signals.received is None:
            raise
        return _SIGNAL_BASE + signals.received
    finally:
        reporter.take_terminal()
    return code


async def _run(child: Child, signals: ChildSignals, reporter: CompanionReporter) -> int:
    reporter.give_terminal()
    signals.are_for_a_child()
    with terminal_restored():
        async with _started(child) as process:
            signals.are_for(process)
            code = await process.wait()
    signals.are_for(None)
    return code if code >= 0 else _SIGNAL_BASE - code


@asynccontextmanager
async def _started(child: Child) -> AsyncIterator[Process]:
    """Start the child; whatever ends the block early ends the child."""
    try:
        process = await asyncio.create_subprocess_exec(*child.words, env=dict(child.environment))
    except OSError as error:
        raise ConfigurationError(
            f"{child.words[0]} could not be started: {error.strerror}",
            remedy="Check its name and the PATH; it is run without a shell.",
        ) from error
    try:
        yield process
    finally:
        if process.returncode is None:
            await _end(process)


async def _end(process: Process) -> None:
    process.terminate()
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
