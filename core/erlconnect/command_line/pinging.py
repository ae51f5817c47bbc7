"""Running one ping, and showing its phases; those that were passed also before an error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from erlconnect.command_line.choosing import choose
from erlconnect.command_line.looking import run
from erlconnect.command_line.reporting import print_line, print_text
from erlconnect.session.examination.events import phase_payload, pong_payload
from erlconnect.session.examination.ping import PHASES, ping, told_phases

if TYPE_CHECKING:
    from erlconnect.command_line.flags import Flags
    from erlconnect.command_line.looking import Voice
    from erlconnect.proxy.stopwatch import Phase, Stopwatch
    from erlconnect.session.examination.ping import Pong


def ping_once(target: str, flags: Flags, voice: Voice) -> None:
    """Ping ``target`` and show it. Raises ``ErlconnectError``, after the phases that went well."""
    chosen = choose([target], flags, environment=os.environ, warn=voice.warn, ask=False)
    stopwatches: list[Stopwatch] = []
    try:
        voice.reporter.progress(f"looking for {chosen.choices[0].service}")
        pong = run(
            ping(chosen.choices[0], chosen.catalogue, os.environ, voice.warn, stopwatches.append)
        )
    finally:
        phases = told_phases(stopwatches[0].phases if stopwatches else ())
        voice.silence()
        _show_phases(phases, voice)
    if voice.as_json:
        print_line(pong_payload(pong, phases))
    else:
        print_text(_text(pong, phases))


def _show_phases(phases: list[Phase], voice: Voice) -> None:
    for phase in phases:
        if voice.as_json:
            print_line(phase_payload(phase))
        elif not voice.quiet:
            print_text(f"{PHASES[phase.name]:10}{phase.seconds * 1000:10.1f} ms")


def _text(pong: Pong, phases: list[Phase]) -> str:
    took = sum(phase.seconds for phase in phases) * 1000
    cookie = f"cookie from {pong.cookie_source} accepted" if pong.cookie_source else "no cookie"
    releases = f", OTP {pong.otp} by its flags" if pong.otp else ""
    return (
        f"{pong.node} at {pong.address}:{pong.dist_port} by {pong.transport} answered in "
        f"{took:.1f} ms, {cookie}{releases}"
    )
