"""``--dry-run``: what ``connect`` would do, shown instead of done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from erlconnect.command_line.choosing import choose
from erlconnect.command_line.looking import run
from erlconnect.command_line.reporting import print_line, print_text
from erlconnect.session.planning import plan, plan_payload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlconnect.command_line.flags import Flags
    from erlconnect.command_line.looking import Voice
    from erlconnect.session.planning import Plan, PlannedTarget


def show_plans(targets: Sequence[str], flags: Flags, voice: Voice) -> None:
    """Show what each of ``targets`` leads to. Raises ``ErlconnectError`` where a lookup fails."""
    chosen = choose(targets, flags, environment=os.environ, warn=voice.warn, ask=False)
    for choices in chosen.choices:
        voice.reporter.progress(f"looking for {choices.service}")
        try:
            planned = run(plan(choices, chosen.catalogue, os.environ, voice.warn))
        finally:
            voice.silence()
        if voice.as_json:
            print_line(plan_payload(planned))
        else:
            print_text("\n".join(_lines(planned)))


def _lines(planned: Plan) -> Iterator[str]:
    choices = planned.choices
    profile = f" in the profile {choices.profile}" if choices.profile else ""
    yield f"{choices.service}{profile}, by {choices.backend}:"
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
