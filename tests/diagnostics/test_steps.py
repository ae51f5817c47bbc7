"""The report that collects the steps."""

from __future__ import annotations

from erlconnect.diagnostics.steps import Report, Step, StepName, StepTimer
from erlconnect.errors import RefusedError, UnreachableError


def test_the_first_failure_gives_the_exit_code() -> None:
    added: list[Step] = []
    report = Report(added.append)
    report.add(StepTimer(StepName.DISCOVERY).ok("found"))
    assert report.exit_code == 0
    report.skip([StepName.RIGHTS], "why not")
    report.add(StepTimer(StepName.PORT).failed(UnreachableError("closed", remedy="open it")))
    report.add(StepTimer(StepName.COOKIE).failed(RefusedError("no", remedy="")))
    assert report.exit_code == 69
    assert added == report.steps
    assert [str(step.status) for step in added] == ["ok", "skipped", "failed", "failed"]
