"""A report of steps: which of them count, and for what."""

from __future__ import annotations

from erlconnect.diagnostics.steps import Report, Step, StepName, StepTimer
from erlconnect.errors import RefusedError, UnreachableError


def test_the_first_failure_gives_the_exit_code() -> None:
    told: list[Step] = []
    examination = Report(told.append)
    examination.add(StepTimer(StepName.DISCOVERY).ok("found"))
    assert examination.exit_code == 0
    examination.skip([StepName.RIGHTS], "why not")
    examination.add(StepTimer(StepName.PORT).failed(UnreachableError("closed", remedy="open it")))
    examination.add(StepTimer(StepName.COOKIE).failed(RefusedError("no", remedy="")))
    assert examination.exit_code == 69
    assert told == examination.steps
    assert [str(step.status) for step in told] == ["ok", "skipped", "failed", "failed"]
