"""The objects that ``doctor``, ``ping`` and ``targets`` print with ``--json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erlconnect.session.events import SCHEMA

if TYPE_CHECKING:
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
