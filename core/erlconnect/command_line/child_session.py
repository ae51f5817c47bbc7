"""A session that lasts as long as one child: what ``shell`` and ``run`` have in common.

The child has our terminal, our process group and our streams, so that keys, job control and pipes
work as if nobody stood between. Its exit code becomes ours. It starts when the session stands; a
session that cannot open starts none, and one that fails later ends it.

What a session tells while it serves one child, which has stdout and the terminal to itself.

The child of ``erlconnect run``: the user's program, with the variables that lead to the node.

The variables by which the tools that a session is opened for find their node.

Each tool reads its own; what they mean to it stands in docs/guides/shell-and-run.md. A cookie is
among them only if it was asked for, because children of children see it, too.
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
from erlconnect.command_line.connect import log_to_stderr
from erlconnect.command_line.output import HumanReporter, report_warnings, where_line
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

    from erlconnect.command_line.options import CliOptions
    from erlconnect.errors import ErlconnectError
    from erlconnect.session.config import SessionConfig
    from erlconnect.session.events import Event
    from erlconnect.session.instance_lock import InstanceLock

# A node that dials in vain all day is no reason to grow; the latest say most.
_MOST_WAITING: Final = 100


class ChildSessionReporter:
    """Says on stderr which node is meant, and what goes wrong.

    While a child has the terminal, that waits until it has ended: a shell draws its own lines.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._human = HumanReporter(quiet=quiet)
        self._waiting: deque[Event] | None = None
        self._stands = asyncio.Event()
        self._ready: Ready | None = None
        self.guard = GuardConfig()
        """What the session's guard lets through."""
        self.refusal: ErlconnectError | None = None
        """Why a link did not come up, the latest one."""

    def progress(self, message: str) -> None:
        """Show what is being done before the child starts."""
        self._human.progress(message)

    def report(self, event: Event | LinkEvent) -> None:
        """Show the event, or keep it; links are the child's own affair."""
        if isinstance(event, Ready):
            self._ready = event
            self._stands.set()
            for alias in event.aliases:
                self._human.note(where_line(alias))
            self._human.note(f"guard: {guard_line(self.guard)}")
        elif isinstance(event, LinkEvent | Stopped):
            return
        else:
            if isinstance(event, Failed):
                self.refusal = event.error
            self._show(event)

    async def ready(self) -> Ready:
        """Wait for the session to stand."""
        await self._stands.wait()
        assert self._ready  # noqa: S101 - what was waited for
        return self._ready

    def give_terminal(self) -> None:
        """Keep what there is to say from now on, if it would be said at the child's terminal."""
        self._human.stop_progress()
        if sys.stderr.isatty():
            self._waiting = deque(maxlen=_MOST_WAITING)

    def take_terminal(self) -> None:
        """Say what was kept."""
        kept, self._waiting = self._waiting or (), None
        for event in kept:
            self._show(event)

    def _show(self, event: Event) -> None:
        if self._waiting is None:
            self._human.report(event)
        else:
            self._waiting.append(event)


# erl takes a second or two to stop in good order.
_END_SECONDS: Final = 5.0
_SIGNAL_BASE: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildCommand:
    """What to start: its words, and all of its environment."""

    words: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadySession:
    """A session that stands, as the child needs to know it; the reporter knows what is refused."""

    ready: Ready
    choices: SessionConfig
    reporter: ChildSessionReporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbosity:
    """How much is said."""

    quiet: bool
    verbose: bool


def run_child_session(
    target: str,
    flags: CliOptions,
    slot: InstanceLock,
    talk: Verbosity,
    prepare: Callable[[ReadySession], Awaitable[ChildCommand]],
) -> int:
    """Open the session, run the child that ``prepare`` gives, end the session.

    Return the exit code.
    """
    if talk.verbose:
        log_to_stderr()
    reporter = ChildSessionReporter(quiet=talk.quiet)
    chosen = resolve_config(
        [target],
        flags,
        environment=os.environ,
        warn=lambda message: reporter.report(Warned(message=message)),
    )
    reporter.guard = chosen.choices[0].guard
    chosen.catalogue.load_observers(os.environ)
    session = Session(
        chosen.choices, chosen.catalogue, reporter, os.environ, slot, private_epmd=True
    )

    async def child() -> ChildCommand:
        ready = await reporter.ready()
        return await prepare(
            ReadySession(ready=ready, choices=chosen.choices[0], reporter=reporter)
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


# Hidden on this side, too; and no epmd may be started in place of the session's own.
_ERL_FLAGS: Final = "-hidden -start_epmd false"


def child_environment(
    environment: Mapping[str, str], ready: Ready, cookie_file: Path
) -> dict[str, str]:
    """Return ``environment`` with what leads to the first alias of ``ready``, and no cookie."""
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
    flags: CliOptions,
    talk: Verbosity,
    environment: Mapping[str, str],
    *,
    export_cookie: bool,
) -> int:
    """Run ``words`` in a session of their own; return the exit code."""

    async def prepare(standing: ReadySession) -> ChildCommand:
        cookie_file = local_cookie_file(standing.choices.local_cookie_file)
        variables = child_environment(environment, standing.ready, cookie_file)
        if export_cookie:
            cookie = local_cookie(cookie_file).reveal()
            variables |= cookie_variables(standing.ready, cookie)
        return ChildCommand(words=words, environment=variables)

    with instance_lock(environment) as slot:
        return run_child_session(target, flags, slot, talk, prepare)
