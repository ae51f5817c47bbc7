"""A session that lasts as long as one child process: the common part of ``shell`` and ``run``.

The child has our terminal, our process group and our streams, so that keys, job control and pipes
work as without erlconnect. Its exit code becomes ours. It starts when the session is ready; a
session that cannot open starts none, and one that fails later ends it.

The child finds the node by environment variables, which the tools read by themselves; what they
mean is described in docs/guides/shell-and-run.md. A cookie is among them only if it was asked for,
because children of children see it, too. The body of ``erlconnect run`` is here as well.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.child_process import SignalForwarder, restore_terminal
from erlconnect.command_line.output import HumanReporter, log_to_stderr, report_warnings, where_line
from erlconnect.command_line.resolve import resolve_config
from erlconnect.cookie_file import local_cookie_file
from erlconnect.errors import ConfigurationError
from erlconnect.guard.link_guard import GuardConfig, guard_line
from erlconnect.hookspecs import LinkEvent
from erlconnect.net.subprocesses import ChildConfig, ChildProcess
from erlconnect.session.connector import first_error
from erlconnect.session.cookies import local_cookie
from erlconnect.session.events import Failed, Ready, Stopped, Warned
from erlconnect.session.instance_lock import instance_lock
from erlconnect.session.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from erlconnect.command_line.options import CliOptions, OutputOptions
    from erlconnect.errors import ErlconnectError
    from erlconnect.session.config import SessionConfig
    from erlconnect.session.events import Event
    from erlconnect.session.instance_lock import InstanceLock

# A node that fails to connect all day must not fill the memory; the latest events say most.
_MOST_WAITING: Final = 100


class ChildSessionReporter:
    """Prints on stderr which node is meant, and what goes wrong.

    While a child has the terminal, events are kept until it has ended: a shell draws its own lines.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._human = HumanReporter(quiet=quiet)
        self._kept: deque[Event] | None = None
        self._is_ready = asyncio.Event()
        self._ready: Ready | None = None
        self.guard = GuardConfig()
        """What the session's guard lets through."""
        self.last_error: ErlconnectError | None = None
        """Why a link did not come up, the last time."""

    def progress(self, message: str) -> None:
        """Show what is being done before the child starts."""
        self._human.progress(message)

    def report(self, event: Event | LinkEvent) -> None:
        """Print the event, or keep it; events of links are left out, the child sees its own."""
        if isinstance(event, Ready):
            self._ready = event
            self._is_ready.set()
            for alias in event.aliases:
                self._human.note(where_line(alias))
            self._human.note(f"guard: {guard_line(self.guard)}")
        elif isinstance(event, LinkEvent | Stopped):
            return
        else:
            if isinstance(event, Failed):
                self.last_error = event.error
            self._show(event)

    async def ready(self) -> Ready:
        """Wait until the session is ready."""
        await self._is_ready.wait()
        assert self._ready  # noqa: S101 - what was waited for
        return self._ready

    def give_terminal(self) -> None:
        """Keep events from now on, if they would be printed at the child's terminal."""
        self._human.stop_progress()
        if sys.stderr.isatty():
            self._kept = deque(maxlen=_MOST_WAITING)

    def take_terminal(self) -> None:
        """Print the events that were kept while the child had the terminal."""
        kept, self._kept = self._kept or (), None
        for event in kept:
            self._show(event)

    def _show(self, event: Event) -> None:
        if self._kept is None:
            self._human.report(event)
        else:
            self._kept.append(event)


# erl takes a second or two to stop in good order.
_END_SECONDS: Final = 5.0
# Shells report a process that a signal has ended with 128 plus its number.
_SIGNAL_BASE: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildCommand:
    """The child to start: its command line, and its whole environment."""

    words: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadySession:
    """A session that is ready, as ``prepare`` needs it."""

    ready: Ready
    config: SessionConfig
    reporter: ChildSessionReporter


def run_child_session(
    target: str,
    cli: CliOptions,
    lock: InstanceLock,
    output: OutputOptions,
    prepare: Callable[[ReadySession], Awaitable[ChildCommand]],
) -> int:
    """Open the session, run the child that ``prepare`` returns, and end the session.

    Return the exit code.
    """
    if output.verbose:
        log_to_stderr()
    reporter = ChildSessionReporter(quiet=output.quiet)
    resolved = resolve_config(
        [target],
        cli,
        environment=os.environ,
        warn=lambda message: reporter.report(Warned(message=message)),
    )
    reporter.guard = resolved.configs[0].guard
    resolved.catalogue.load_observers(os.environ)
    session = Session(
        resolved.configs, resolved.catalogue, reporter, os.environ, lock, private_epmd=True
    )

    async def child() -> ChildCommand:
        ready = await reporter.ready()
        return await prepare(
            ReadySession(ready=ready, config=resolved.configs[0], reporter=reporter)
        )

    return asyncio.run(_accompany(session, child, reporter))


async def _accompany(
    session: Session, prepare: Callable[[], Awaitable[ChildCommand]], reporter: ChildSessionReporter
) -> int:
    task = asyncio.current_task()
    assert task  # noqa: S101 - we run in one
    signals = SignalForwarder(while_opening=task.cancel)
    try:
        with report_warnings(reporter):
            async with asyncio.TaskGroup() as group:
                running = group.create_task(session.run())
                code = await _run(await prepare(), signals, reporter)
                # The child has ended, and the session ends with it.
                running.cancel()
    except BaseExceptionGroup as errors:
        # A command ends with one error and its exit code.
        raise first_error(errors) from None
    except asyncio.CancelledError:
        if signals.received is None:
            raise
        return _SIGNAL_BASE + signals.received
    finally:
        # Opening may have failed: the event loop, to which signals are passed, ends now.
        signals.are_for_a_child()
        reporter.take_terminal()
    return code


async def _run(
    child: ChildCommand, signals: SignalForwarder, reporter: ChildSessionReporter
) -> int:
    reporter.give_terminal()
    signals.are_for_a_child()
    with restore_terminal():
        async with _started(child) as process:
            signals.are_for(process)
            await process.exited.wait()
            code = process.status
    signals.are_for(None)
    # A process that a signal has ended has the negative number of the signal as its status.
    return code if code >= 0 else _SIGNAL_BASE - code


@asynccontextmanager
async def _started(child: ChildCommand) -> AsyncIterator[ChildProcess]:
    """Start the child; whatever ends the block early ends the child."""
    config = ChildConfig(
        arguments=child.words,
        environment=child.environment,
        # The child has our streams, our terminal and our process group.
        stdin=None,
        stdout=None,
        stderr=None,
        grace_seconds=_END_SECONDS,
    )
    try:
        process = await ChildProcess.start(config)
    except OSError as error:
        raise ConfigurationError(
            f"{child.words[0]} could not be started: {error.strerror}",
            remedy="Check its name and the PATH; it is run without a shell.",
        ) from error
    try:
        yield process
    finally:
        await process.end()


# Hidden on this side, too. Without -start_epmd false, erl would start an epmd of its own.
_ERL_FLAGS: Final = "-hidden -start_epmd false"


def child_environment(
    environment: Mapping[str, str], ready: Ready, cookie_file: Path
) -> dict[str, str]:
    """Return ``environment`` with the variables for the first alias of ``ready``; no cookie."""
    alias = ready.aliases[0]
    return {
        **_without_epmd_address(environment),
        "ERL_EPMD_PORT": str(ready.epmd_port),
        "ERL_FLAGS": _appended(environment, "ERL_FLAGS", _ERL_FLAGS),
        "ELIXIR_ERL_OPTIONS": _appended(environment, "ELIXIR_ERL_OPTIONS", "-hidden"),
        "ERLCONNECT_ALIAS": alias.alias,
        "ERLCONNECT_SHORT_ALIAS": alias.short_alias,
        "ERLCONNECT_NODE": alias.node,
        "ERLCONNECT_COOKIE_FILE": str(cookie_file),
        "LIVEBOOK_DISTRIBUTION": "name",
        "LIVEBOOK_NODE": "livebook@127.0.0.1",
        "RABBITMQ_NODENAME": alias.alias,
        # rabbitmqctl and the scripts of releases take short names unless a variable says otherwise.
        "RABBITMQ_USE_LONGNAME": "true",
        "RELEASE_DISTRIBUTION": "name",
        "RELEASE_NODE": alias.alias,
    }


def cookie_variables(ready: Ready, cookie: str) -> dict[str, str]:
    """Return the variables that hold a cookie, for children that read it nowhere else."""
    return {
        "ERLCONNECT_COOKIE": cookie,
        "LIVEBOOK_COOKIE": cookie,
        "LIVEBOOK_DEFAULT_RUNTIME": f"attached:{ready.aliases[0].alias}:{cookie}",
        "RABBITMQ_ERLANG_COOKIE": cookie,
        "RELEASE_COOKIE": cookie,
    }


def _without_epmd_address(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environment.items() if name != "ERL_EPMD_ADDRESS"}


def _appended(environment: Mapping[str, str], name: str, flags: str) -> str:
    return f"{environment.get(name, '')} {flags}".strip()


def run_command(
    words: Sequence[str],
    target: str,
    cli: CliOptions,
    output: OutputOptions,
    environment: Mapping[str, str],
    *,
    export_cookie: bool,
) -> int:
    """Run ``words`` in a session of their own; return the exit code."""

    async def prepare(session: ReadySession) -> ChildCommand:
        cookie_file = local_cookie_file(session.config.local_cookie_file)
        variables = child_environment(environment, session.ready, cookie_file)
        if export_cookie:
            cookie = local_cookie(cookie_file).reveal()
            variables |= cookie_variables(session.ready, cookie)
        return ChildCommand(words=words, environment=variables)

    with instance_lock(environment) as lock:
        return run_child_session(target, cli, lock, output, prepare)
