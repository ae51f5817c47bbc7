"""The objects that ``doctor``, ``ping`` and ``targets`` print with ``--json``.

Their fields are part of the public contract: docs/reference/events.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erlconnect.diagnostics.otp_releases import release_by_flags
from erlconnect.diagnostics.ping import PHASES
from erlconnect.distribution.flags import flag_names
from erlconnect.session.events import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable

    from erlconnect.diagnostics.ping import Pong
    from erlconnect.diagnostics.steps import Step
    from erlconnect.diagnostics.targets import TargetProbe
    from erlconnect.proxy.timing import Span


def step_payload(step: Step) -> dict[str, Any]:
    """Return the object of a step; ``code`` and ``cause`` only where it failed."""
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "event": step.event,
        "step": str(step.name),
        "status": str(step.status),
        "seconds": round(step.seconds, 6),
        "seen": step.seen,
        "remedy": step.remedy,
    }
    if step.error:
        fields |= {"code": int(step.error.exit_code), "cause": step.error.cause}
    return fields


def phase_payload(phase: Span) -> dict[str, Any]:
    """Return the object of a phase of a ping."""
    seconds = round(phase.seconds, 6)
    return {"schema": SCHEMA, "event": "phase", "phase": PHASES[phase.name], "seconds": seconds}


def pong_payload(pong: Pong, phases: Iterable[Span]) -> dict[str, Any]:
    """Return the object of a node that answered; ``seconds`` is the time of all phases."""
    return {
        "schema": SCHEMA,
        "event": pong.event,
        "node": pong.node,
        "address": pong.address,
        "dist_port": pong.dist_port,
        "transport": pong.transport,
        # Empty texts become null: a consumer must not take "" for a name or a release.
        "cookie_source": pong.cookie_source or None,
        "creation": pong.creation,
        "otp": pong.otp or None,
        "seconds": round(sum(phase.seconds for phase in phases), 6),
    }


def target_payload(probe: TargetProbe) -> dict[str, Any]:
    """Return the object of a target; fields that only its node knows are null without an answer."""
    target, connected = probe.target, probe.connected
    result = connected.probe_result if connected else None
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "event": "target",
        # What the backend has found; "node" below is the name by which the node answered.
        "expected": str(target.node) if target.node.name else None,
        "address": target.address,
        "epmd_port": target.epmd_port,
        "facts": dict(target.facts),
        "answers": connected is not None,
        "node": str(connected.target.node) if connected else None,
        "dist_port": connected.port if connected else target.dist_port,
        "transport": connected.transport if connected else None,
        "creation": result.creation if result else None,
        "flags": flag_names(result.flags) if result else [],
        "otp": (release_by_flags(result.flags) or None) if result else None,
    }
    if probe.error:
        fields["error"] = {
            "code": int(probe.error.exit_code),
            "cause": probe.error.cause,
            "message": probe.error.message,
            "remedy": probe.error.remedy,
        }
    return fields


def role_payload(backend: str, role: str) -> dict[str, Any]:
    """Return the object of the smallest rights."""
    return {"schema": SCHEMA, "event": "role", "backend": backend, "role": role}
