"""Running one ping, and showing its phases; those that were passed also before an error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from erlconnect.command_line.output import print_line, print_text, run_async
from erlconnect.command_line.resolve import resolve_config
from erlconnect.diagnostics.events import phase_payload, pong_payload
from erlconnect.diagnostics.ping import PHASES, phase_results, ping

if TYPE_CHECKING:
    from erlconnect.command_line.options import CliOptions
    from erlconnect.command_line.output import OutputOptions
    from erlconnect.diagnostics.ping import Pong
    from erlconnect.proxy.timing import Span, Timer


def ping_once(target: str, flags: CliOptions, voice: OutputOptions) -> None:
    """Ping ``target`` and show it. Raises ``ErlconnectError``, after the phases that went well."""
    chosen = resolve_config([target], flags, environment=os.environ, warn=voice.warn, ask=False)
    stopwatches: list[Timer] = []
    try:
        voice.reporter.progress(f"looking for {chosen.choices[0].service}")
        pong = run_async(
            ping(chosen.choices[0], chosen.catalogue, os.environ, voice.warn, stopwatches.append)
        )
    finally:
        phases = phase_results(stopwatches[0].phases if stopwatches else ())
        voice.silence()
        _show_phases(phases, voice)
    if voice.as_json:
        print_line(pong_payload(pong, phases))
    else:
        print_text(_text(pong, phases))


def _show_phases(phases: list[Span], voice: OutputOptions) -> None:
    for phase in phases:
        if voice.as_json:
            print_line(phase_payload(phase))
        elif not voice.quiet:
            print_text(f"{PHASES[phase.name]:10}{phase.seconds * 1000:10.1f} ms")


def _text(pong: Pong, phases: list[Span]) -> str:
    took = sum(phase.seconds for phase in phases) * 1000
    cookie = f"cookie from {pong.cookie_source} accepted" if pong.cookie_source else "no cookie"
    releases = f", OTP {pong.otp} by its flags" if pong.otp else ""
    return (
        f"{pong.node} at {pong.address}:{pong.dist_port} by {pong.transport} answered in "
        f"{took:.1f} ms, {cookie}{releases}"
    )
