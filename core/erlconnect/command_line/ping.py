"""``erlconnect ping``: one distribution handshake, with the time of each phase.

Phases that ended are shown also when a later one fails.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from erlconnect.command_line.output import CommandOutput, print_line, print_text, run_async
from erlconnect.command_line.resolve import resolve_config
from erlconnect.diagnostics.events import phase_payload, pong_payload
from erlconnect.diagnostics.ping import PHASES, phase_results, ping

if TYPE_CHECKING:
    from erlconnect.command_line.options import CliOptions, OutputOptions
    from erlconnect.diagnostics.ping import Pong
    from erlconnect.proxy.timing import Span, Timer


def ping_once(target: str, cli: CliOptions, options: OutputOptions) -> None:
    """Ping ``target`` and print the result.

    Raises ``ErlconnectError``, after the phases that went well were printed.
    """
    output = CommandOutput(options)
    # No session is opened, so a profile with ``confirm = true`` asks nothing (``ask=False``).
    resolved = resolve_config([target], cli, environment=os.environ, warn=output.warn, ask=False)
    timers: list[Timer] = []
    try:
        output.reporter.progress(f"looking for {resolved.configs[0].service}")
        pong = run_async(
            ping(resolved.configs[0], resolved.catalogue, os.environ, output.warn, timers.append)
        )
    finally:
        # Discovery may fail before there is a connection, and with it a timer.
        phases = phase_results(timers[0].phases if timers else ())
        output.stop_progress()
        _show_phases(phases, output)
    if output.as_json:
        print_line(pong_payload(pong, phases))
    else:
        print_text(_text(pong, phases))


def _show_phases(phases: list[Span], output: CommandOutput) -> None:
    for phase in phases:
        if output.as_json:
            print_line(phase_payload(phase))
        elif not output.quiet:
            print_text(f"{PHASES[phase.name]:10}{phase.seconds * 1000:10.1f} ms")


def _text(pong: Pong, phases: list[Span]) -> str:
    milliseconds = sum(phase.seconds for phase in phases) * 1000
    cookie = f"cookie from {pong.cookie_source} accepted" if pong.cookie_source else "no cookie"
    releases = f", OTP {pong.otp} by its flags" if pong.otp else ""
    return (
        f"{pong.node} at {pong.address}:{pong.dist_port} by {pong.transport} answered in "
        f"{milliseconds:.1f} ms, {cookie}{releases}"
    )
