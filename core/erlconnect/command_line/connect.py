"""Running a session in the foreground until a signal ends it.

``--dry-run``: what ``connect`` would do, shown instead of done.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.output import (
    HumanReporter,
    JsonReporter,
    print_line,
    print_text,
    report_warnings,
    run_async,
)
from erlconnect.command_line.resolve import resolve_config
from erlconnect.errors import ExitCode
from erlconnect.redaction import RedactingFilter
from erlconnect.session.events import Stopped, Warned
from erlconnect.session.instance_lock import instance_lock
from erlconnect.session.plan import plan, plan_payload
from erlconnect.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from erlconnect.command_line.options import CliOptions
    from erlconnect.command_line.output import OutputOptions
    from erlconnect.session.events import Reporter
    from erlconnect.session.plan import Plan, PlannedTarget

# Reason and exit code. A session that is asked to end and does so is done.
_SIGNALS: Final = {
    signal.SIGINT: ("interrupted", ExitCode.INTERRUPTED),
    signal.SIGTERM: ("terminated", ExitCode.DONE),
    signal.SIGHUP: ("the terminal went away", ExitCode.DONE),
}


def serve(
    targets: Sequence[str], flags: CliOptions, *, as_json: bool, quiet: bool, verbose: bool
) -> ExitCode:
    """Run the session that ``targets`` and ``flags`` mean; return the exit code."""
    if verbose:
        log_to_stderr()
    reporter: Reporter
    reporter = JsonReporter() if as_json else HumanReporter(quiet=quiet, prefix=_prefix())
    chosen = resolve_config(
        targets,
        flags,
        environment=os.environ,
        warn=lambda message: reporter.report(Warned(message=message)),
    )
    chosen.catalogue.load_observers(os.environ)
    with instance_lock(os.environ) as slot, ExitStack() as afterwards:
        session = Session(chosen.choices, chosen.catalogue, reporter, os.environ, slot)
        drawn: AbstractContextManager[None] = nullcontext()
        if isinstance(reporter, HumanReporter):
            afterwards.callback(reporter.stop_progress)
            if not quiet and not verbose:
                drawn = _links_drawn(session, reporter)
        return asyncio.run(_until_a_signal(session, reporter, drawn))


def _links_drawn(session: Session, reporter: HumanReporter) -> AbstractContextManager[None]:
    from erlconnect.command_line.live_view import draw_links  # noqa: PLC0415 - has rich

    return draw_links(session, reporter)


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
        with drawn, report_warnings(reporter):
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
    """Return what has to stand before the commands that people copy."""
    port = os.environ.get("ERL_EPMD_PORT")
    return f"ERL_EPMD_PORT={port} " if port else ""


def log_to_stderr() -> None:
    """Log everything there, without secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])


def show_plans(targets: Sequence[str], flags: CliOptions, voice: OutputOptions) -> None:
    """Show what each of ``targets`` leads to. Raises ``ErlconnectError`` where a lookup fails."""
    chosen = resolve_config(targets, flags, environment=os.environ, warn=voice.warn, ask=False)
    for choices in chosen.choices:
        voice.reporter.progress(f"looking for {choices.service}")
        try:
            planned = run_async(plan(choices, chosen.catalogue, os.environ, voice.warn))
        finally:
            voice.silence()
        if voice.as_json:
            print_line(plan_payload(planned))
        else:
            print_text("\n".join(_lines(planned)))


def _lines(planned: Plan) -> Iterator[str]:
    config = planned.config
    profile = f" in the profile {config.profile}" if config.profile else ""
    yield f"{config.service}{profile}, by {config.backend.name}:"
    for one in planned.targets:
        yield f"  {_target(one)}"
        yield f"    by {_one_of(one.transports)}, cookie from {_one_of(one.cookie_sources)}"


def _target(planned: PlannedTarget) -> str:
    target = planned.target
    name = str(target.node) if target.node.name else "a node whose name it tells itself"
    port = f"port {planned.dist_port}" if planned.dist_port else f"epmd on port {target.epmd_port}"
    facts = "".join(f", {key} {value}" for key, value in target.facts.items())
    return f"{name} at {target.address}, {port}{facts}"


def _one_of(names: Sequence[str]) -> str:
    return ", else ".join(names)
