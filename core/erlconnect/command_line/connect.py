"""``erlconnect connect``: serve a session in the foreground until a signal ends it.

With ``--dry-run`` the plan of the session is printed, and no node is reached.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.output import (
    CommandOutput,
    HumanReporter,
    JsonReporter,
    log_to_stderr,
    print_line,
    print_text,
    report_warnings,
    run_async,
)
from erlconnect.command_line.resolve import resolve_config
from erlconnect.errors import ExitCode
from erlconnect.session.events import Stopped, Warned
from erlconnect.session.instance_lock import instance_lock
from erlconnect.session.plan import plan, plan_payload
from erlconnect.session.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from erlconnect.command_line.options import CliOptions, OutputOptions
    from erlconnect.session.events import Reporter
    from erlconnect.session.plan import Plan, PlannedTarget

# The reason and the exit code. SIGTERM and SIGHUP ask a session to end, so its end is no failure.
_SIGNALS: Final = {
    signal.SIGINT: ("interrupted", ExitCode.INTERRUPTED),
    signal.SIGTERM: ("terminated", ExitCode.DONE),
    signal.SIGHUP: ("the terminal went away", ExitCode.DONE),
}


def serve(targets: Sequence[str], cli: CliOptions, output: OutputOptions) -> ExitCode:
    """Serve the session that ``targets`` and ``cli`` mean; return the exit code."""
    if output.verbose:
        log_to_stderr()
    reporter: JsonReporter | HumanReporter
    if output.as_json:
        reporter = JsonReporter()
    else:
        reporter = HumanReporter(quiet=output.quiet, prefix=_command_prefix())
    resolved = resolve_config(
        targets,
        cli,
        environment=os.environ,
        warn=lambda message: reporter.report(Warned(message=message)),
    )
    resolved.catalogue.load_observers(os.environ)
    with instance_lock(os.environ) as lock, ExitStack() as cleanup:
        session = Session(resolved.configs, resolved.catalogue, reporter, os.environ, lock)
        cleanup.callback(reporter.stop_progress)
        live_view: AbstractContextManager[None] = nullcontext()
        if isinstance(reporter, HumanReporter) and not output.quiet and not output.verbose:
            live_view = _live_view(session, reporter)
        return asyncio.run(_run_until_signal(session, reporter, live_view))


def show_plans(targets: Sequence[str], cli: CliOptions, options: OutputOptions) -> None:
    """Print the plan for each of ``targets``. Raises ``ErlconnectError`` where a lookup fails."""
    output = CommandOutput(options)
    resolved = resolve_config(targets, cli, environment=os.environ, warn=output.warn, ask=False)
    for config in resolved.configs:
        output.reporter.progress(f"looking for {config.service}")
        try:
            planned = run_async(plan(config, resolved.catalogue, os.environ, output.warn))
        finally:
            output.stop_progress()
        if output.as_json:
            print_line(plan_payload(planned))
        else:
            print_text("\n".join(_plan_lines(planned)))


def _live_view(session: Session, reporter: HumanReporter) -> AbstractContextManager[None]:
    from erlconnect.command_line.live_view import draw_links  # noqa: PLC0415 - imports rich

    return draw_links(session, reporter)


async def _run_until_signal(
    session: Session, reporter: Reporter, live_view: AbstractContextManager[None]
) -> ExitCode:
    loop = asyncio.get_running_loop()
    running = asyncio.ensure_future(session.run())
    received: list[signal.Signals] = []

    def stop(number: int, _frame: object) -> None:
        # Only the first signal counts, so that nothing interrupts the clean-up.
        if not received:
            received.append(signal.Signals(number))
            loop.call_soon_threadsafe(running.cancel)

    # Not loop.add_signal_handler: those handlers end with the loop, and a second Ctrl-C would
    # then kill the process before it has cleaned up.
    for number in _SIGNALS:
        signal.signal(number, stop)
    try:
        with live_view, report_warnings(reporter):
            await running
    except asyncio.CancelledError:
        if not received:
            raise
    finally:
        # After an error, too: the handler uses the event loop, which ends now.
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    reason, code = _SIGNALS[received[0]]
    reporter.report(Stopped(reason=reason))
    return code


def _command_prefix() -> str:
    """Return the variable to put before the commands that people copy; empty if none is needed."""
    port = os.environ.get("ERL_EPMD_PORT")
    return f"ERL_EPMD_PORT={port} " if port else ""


def _plan_lines(planned: Plan) -> Iterator[str]:
    config = planned.config
    profile = f" in the profile {config.profile}" if config.profile else ""
    yield f"{config.service}{profile}, by {config.backend.name}:"
    for target in planned.targets:
        yield f"  {_target(target)}"
        cookie = _alternatives(target.cookie_sources)
        yield f"    by {_alternatives(target.transports)}, cookie from {cookie}"


def _target(planned: PlannedTarget) -> str:
    target = planned.target
    name = str(target.node) if target.node.name else "a node whose name it tells itself"
    port = f"port {planned.dist_port}" if planned.dist_port else f"epmd on port {target.epmd_port}"
    facts = "".join(f", {key} {value}" for key, value in target.facts.items())
    return f"{name} at {target.address}, {port}{facts}"


def _alternatives(names: Sequence[str]) -> str:
    return ", else ".join(names)
