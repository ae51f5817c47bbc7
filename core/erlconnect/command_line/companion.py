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

from erlconnect.child_starts import started_whole
from erlconnect.command_line.child_signals import ChildSignals
from erlconnect.command_line.choosing import choose
from erlconnect.command_line.companion_reporting import CompanionReporter
from erlconnect.command_line.logged_warnings import warnings_reported
from erlconnect.command_line.serving import log_to_stderr
from erlconnect.command_line.terminal_state import terminal_restored
from erlconnect.errors import ConfigurationError
from erlconnect.session.events import Warned
from erlconnect.session.groups import first_error
from erlconnect.session.session import Session

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from erlconnect.command_line.flags import Flags
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
class Standing:
    """A session that stands, as the child needs to know it; the reporter knows what is refused."""

    ready: Ready
    choices: Choices
    reporter: CompanionReporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """How much is said."""

    quiet: bool
    verbose: bool


def accompany(
    target: str,
    flags: Flags,
    slot: Slot,
    talk: Talk,
    prepare: Callable[[Standing], Awaitable[Child]],
) -> int:
    """Open the session, run the child that ``prepare`` gives, end the session.

    Give the exit code.
    """
    if talk.verbose:
        log_to_stderr()
    reporter = CompanionReporter(quiet=talk.quiet)
    chosen = choose(
        [target],
        flags,
        environment=os.environ,
        warn=lambda message: reporter.report(Warned(message=message)),
    )
    chosen.catalogue.load_observers(os.environ)
    session = Session(
        chosen.choices, chosen.catalogue, reporter, os.environ, slot, private_epmd=True
    )

    async def child() -> Child:
        ready = await reporter.ready()
        return await prepare(Standing(ready=ready, choices=chosen.choices[0], reporter=reporter))

    return asyncio.run(_accompany(session, child, reporter))


async def _accompany(
    session: Session, prepare: Callable[[], Awaitable[Child]], reporter: CompanionReporter
) -> int:
    task = asyncio.current_task()
    assert task  # noqa: S101 - we run in one
    signals = ChildSignals(while_opening=task.cancel)
    try:
        with warnings_reported(reporter):
            async with asyncio.TaskGroup() as group:
                running = group.create_task(session.run())
                code = await _run(await prepare(), signals, reporter)
                running.cancel()
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None
    except asyncio.CancelledError:
        if signals.received is None:
            raise
        return _SIGNAL_BASE + signals.received
    finally:
        # Opening may have failed: the loop that would be told of a signal ends now.
        signals.are_for_a_child()
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
        starting = asyncio.create_subprocess_exec(*child.words, env=dict(child.environment))
        process = await started_whole(starting, _end)
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
    # No ``asyncio.timeout``: this runs in a task that is being cancelled, and Python before
    # 3.11.4 takes the timeout for a part of that.
    _, waiting = await asyncio.wait([asyncio.ensure_future(process.wait())], timeout=_END_SECONDS)
    if waiting:
        process.kill()
        await asyncio.wait(waiting)
