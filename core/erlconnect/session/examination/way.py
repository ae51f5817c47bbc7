"""The way to a target as steps: what the phases of an approach tell, also of a failed one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.session.examination.hints import remedy_of
from erlconnect.session.examination.releases import release_by_flags
from erlconnect.session.examination.steps import Step, StepName, StepStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlconnect.api import Target
    from erlconnect.errors import ErlconnectError
    from erlconnect.proxy.stopwatch import Phase
    from erlconnect.session.approach import Approached

WAY: Final = {
    StepName.TUNNEL: "transport",
    StepName.REMOTE_EPMD: "epmd",
    StepName.PORT: "connect",
    StepName.HANDSHAKE: "knock",
}
_NOT_ASKED: Final = "not asked, because the port is known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The error that an approach ended with, and the target that it was about."""

    error: ErlconnectError
    target: Target


def steps_there(phases: Sequence[Phase], approached: Approached) -> Iterator[Step]:
    """Give the steps of a way that led to the node."""
    taken = _last_attempt(phases)
    knocked = approached.knocked
    releases = release_by_flags(knocked.flags)
    by_flags = f", OTP {releases} by its flags" if releases else ""
    where = f"{approached.target.address}:{approached.port}"
    seen = {
        StepName.TUNNEL: f"{approached.transport} is open",
        StepName.REMOTE_EPMD: f"it knows {approached.target.node.name} at port {approached.port}",
        StepName.PORT: f"{where} accepts connections",
        StepName.HANDSHAKE: f"{approached.target.node} answers{by_flags}",
    }
    for name, phase in WAY.items():
        yield _passed(name, [one for one in taken if one.name == phase], seen[name])


def steps_lost(phases: Sequence[Phase], failure: Failure) -> Iterator[Step]:
    """Give the steps of a way that ended at one of them; the rest is skipped."""
    guilty = _guilty(phases, failure.error)
    taken = _attempt_of(phases, guilty)
    lost = False
    for name, phase in WAY.items():
        here = [one for one in taken if one.name == phase]
        if lost:
            yield _skipped(name)
        elif guilty is None or guilty.name == phase:
            lost = True
            transport = taken[0].detail if taken else ""
            remedy = remedy_of(failure.error, failure.target, transport)
            yield _failed(name, here, failure.error, remedy)
        else:
            yield _passed(name, here, f"{here[-1].detail if here else phase} is there")


def _passed(name: StepName, taken: Sequence[Phase], seen: str) -> Step:
    seconds = sum(phase.seconds for phase in taken)
    if not taken:
        return Step(name=name, status=StepStatus.SKIPPED, seconds=0.0, seen=_NOT_ASKED)
    if taken[-1].error:
        # Asked besides, after a port that was known had led nowhere.
        seen = f"asked in vain: {taken[-1].error}"
        return Step(name=name, status=StepStatus.NOTE, seconds=seconds, seen=seen)
    return Step(name=name, status=StepStatus.OK, seconds=seconds, seen=seen)


def _failed(name: StepName, taken: Sequence[Phase], error: ErlconnectError, remedy: str) -> Step:
    return Step(
        name=name,
        status=StepStatus.FAILED,
        seconds=sum(phase.seconds for phase in taken),
        seen=error.message,
        remedy=remedy,
        error=error,
    )


def _skipped(name: StepName) -> Step:
    seen = "the step before it failed"
    return Step(name=name, status=StepStatus.SKIPPED, seconds=0.0, seen=seen)


def _guilty(phases: Sequence[Phase], error: BaseException | None) -> Phase | None:
    """Give the phase that ended with ``error``, or with what that was made of."""
    while error:
        for phase in phases:
            if phase.error is error and phase.name in WAY.values():
                return phase
        error = error.__cause__
    return None


def _attempt_of(phases: Sequence[Phase], guilty: Phase | None) -> list[Phase]:
    """Give what belongs to one target and transport: from its ``transport`` to the next one."""
    attempts: list[list[Phase]] = []
    for phase in phases:
        if phase.name == "transport" or not attempts:
            attempts.append([])
        attempts[-1].append(phase)
    return next((one for one in attempts if guilty in one), [])


def _last_attempt(phases: Sequence[Phase]) -> list[Phase]:
    opened = [number for number, phase in enumerate(phases) if phase.name == "transport"]
    return list(phases)[opened[-1] :]
