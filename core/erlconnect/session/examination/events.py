"""The objects that ``doctor``, ``ping`` and ``targets`` print with ``--json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erlconnect.distribution.flags import flag_names
from erlconnect.session.events import SCHEMA
from erlconnect.session.examination.ping import PHASES
from erlconnect.session.examination.releases import release_by_flags

if TYPE_CHECKING:
    from collections.abc import Iterable

    from erlconnect.proxy.stopwatch import Phase
    from erlconnect.session.examination.ping import Pong
    from erlconnect.session.examination.sightings import Sighting
    from erlconnect.session.examination.steps import Step


def step_payload(step: Step) -> dict[str, Any]:
    """Give the object of a step; ``code`` and ``cause`` only where it failed."""
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


def phase_payload(phase: Phase) -> dict[str, Any]:
    """Give the object of a phase of a ping."""
    seconds = round(phase.seconds, 6)
    return {"schema": SCHEMA, "event": "phase", "phase": PHASES[phase.name], "seconds": seconds}


def pong_payload(pong: Pong, phases: Iterable[Phase]) -> dict[str, Any]:
    """Give the object of a node that answered; ``seconds`` is the time of all phases."""
    return {
        "schema": SCHEMA,
        "event": pong.event,
        "node": pong.node,
        "address": pong.address,
        "dist_port": pong.dist_port,
        "transport": pong.transport,
        "cookie_source": pong.cookie_source or None,
        "creation": pong.creation,
        "otp": pong.otp or None,
        "seconds": round(sum(phase.seconds for phase in phases), 6),
    }


def sighting_payload(sighting: Sighting) -> dict[str, Any]:
    """Give the object of a target; what only an answer tells is null where none came."""
    target, approached = sighting.target, sighting.approached
    knocked = approached.knocked if approached else None
    fields: dict[str, Any] = {
        "schema": SCHEMA,
        "event": "target",
        "expected": str(target.node) if target.node.name else None,
        "address": target.address,
        "epmd_port": target.epmd_port,
        "facts": dict(target.facts),
        "answers": approached is not None,
        "node": str(approached.target.node) if approached else None,
        "dist_port": approached.port if approached else target.dist_port,
        "transport": approached.transport if approached else None,
        "creation": knocked.creation if knocked else None,
        "flags": flag_names(knocked.flags) if knocked else [],
        "otp": (release_by_flags(knocked.flags) or None) if knocked else None,
    }
    if sighting.error:
        fields["error"] = {
            "code": int(sighting.error.exit_code),
            "cause": sighting.error.cause,
            "message": sighting.error.message,
            "remedy": sighting.error.remedy,
        }
    return fields


def role_payload(backend: str, role: str) -> dict[str, Any]:
    """Give the object of the smallest rights."""
    return {"schema": SCHEMA, "event": "role", "backend": backend, "role": role}
