"""Running a session in the foreground until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.choosing import choose
from erlconnect.command_line.logged_warnings import warnings_reported
from erlconnect.command_line.reporting import HumanReporter, JsonReporter
from erlconnect.errors import ExitCode
from erlconnect.redaction import RedactingFilter
from erlconnect.session.events import Stopped, Warned
from erlconnect.session.session import Session
from erlconnect.session.slots import session_slot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from erlconnect.command_line.flags import Flags
    from erlconnect.session.events import Reporter

# Reason and exit code. A session that is asked to end and does so is done.
_SIGNALS: Final = {
    signal.SIGINT: ("interrupted", ExitCode.INTERRUPTED),
    signal.SIGTERM: ("terminated", ExitCode.DONE),
    signal.SIGHUP: ("the terminal went away", ExitCode.DONE),
}


def serve(
    targets: Sequence[str], flags: Flags, *, as_json: bool, quiet: bool, verbose: bool
) -> ExitCode:
    """Run the session that ``targets`` and ``flags`` mean; give the exit code."""
    if verbose:
        log_to_stderr()
    reporter: Reporter
    reporter = JsonReporter() if as_json else HumanReporter(quiet=quiet, prefix=_prefix())
    chosen = choose(
        targets,
        flags,
        environment=os.environ,
        warn=lambda message: reporter.report(Warned(message=message)),
    )
    chosen.catalogue.load_observers(os.environ)
    with session_slot(os.environ) as slot, ExitStack() as afterwards:
        session = Session(chosen.choices, chosen.catalogue, reporter, os.environ, slot)
        drawn: AbstractContextManager[None] = nullcontext()
        if isinstance(reporter, HumanReporter):
            afterwards.callback(reporter.stop_progress)
            if not quiet and not verbose:
                drawn = _links_drawn(session, reporter)
        return asyncio.run(_until_a_signal(session, reporter, drawn))


def _links_drawn(session: Session, reporter: HumanReporter) -> AbstractContextManager[None]:
    from erlconnect.command_line.live_reporting import links_drawn  # noqa: PLC0415 - has rich

    return links_drawn(session, reporter)


async def _until_a_signal(
    session: Session, reporter: Reporter, drawn: AbstractContextManager[None]
) -> ExitCode:
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(session.run())
    received: list[signal.Signals] = []

    def stop(number: int, _frame: object) -> None:
        # Only the first one counts, so that nothing interrupts the cleaning up.
        if not received:
            received.append(signal.Signals(number))
            loop.call_soon_threadsafe(running.cancel)

    # Not the loop's own handlers: these go with the loop, and a second Ctrl-C would kill us then.
    for number in _SIGNALS:
        signal.signal(number, stop)
    try:
        with drawn, warnings_reported(reporter):
            await running
    except asyncio.CancelledError:
        if not received:
            raise
    finally:
        # After an error, too: the handler needs the loop, which ends now.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    reason, code = _SIGNALS[received[0]]
    reporter.report(Stopped(reason=reason))
    return code


def _prefix() -> str:
    """Give what has to stand before the commands that people copy."""
    port = os.environ.get("ERL_EPMD_PORT")
    return f"ERL_EPMD_PORT={port} " if port else ""


def log_to_stderr() -> None:
    """Log everything there, without secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])
