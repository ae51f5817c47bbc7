"""The steps of ``doctor``: their names, how each ended, and the report that collects them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from erlconnect.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from erlconnect.errors import ErlconnectError


class StepName(StrEnum):
    """All steps, in the order in which they are taken."""

    CONFIGURATION = "configuration"
    DISCOVERY = "discovery"
    RIGHTS = "rights"
    TUNNEL = "tunnel"
    REMOTE_EPMD = "remote-epmd"
    PORT = "port"
    HANDSHAKE = "handshake"
    COOKIE = "cookie"
    COOKIE_CHECK = "cookie-check"
    TICK = "tick"
    REMOTE_ERLANG = "remote-erlang"
    RUNTIME_TOOLS = "runtime-tools"
    REMOTE_ELIXIR = "remote-elixir"
    GUARD = "guard"
    LOCAL_ERLANG = "local-erlang"
    LOCAL_ELIXIR = "local-elixir"
    LOCAL_EPMD = "local-epmd"
    LOCAL_NAMES = "local-names"
    LOCAL_COOKIE = "local-cookie"


class StepStatus(StrEnum):
    """How a step ended. ``note`` is no failure, but has a remedy; ``skipped`` was not checked."""

    OK = "ok"
    NOTE = "note"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The result of one step; ``error`` is set only where it failed."""

    event: ClassVar[str] = "step"
    name: StepName
    status: StepStatus
    seconds: float
    seen: str
    remedy: str = ""
    error: ErlconnectError | None = None


class StepTimer:
    """Measures one step: its time begins here and ends with the result."""

    def __init__(self, name: StepName) -> None:
        self._name = name
        # Monotonic: a correction of the system's clock must not change the time of a step.
        self._began = time.monotonic()

    def ok(self, seen: str) -> Step:
        """Return the step as passed."""
        return self._result(StepStatus.OK, seen)

    def note(self, seen: str, *, remedy: str) -> Step:
        """Return the step as passed, with something that is worth knowing."""
        return self._result(StepStatus.NOTE, seen, remedy)

    def failed(self, error: ErlconnectError) -> Step:
        """Return the step as failed."""
        return self._result(StepStatus.FAILED, error.message, error.remedy, error)

    def _result(
        self,
        status: StepStatus,
        seen: str,
        remedy: str = "",
        error: ErlconnectError | None = None,
    ) -> Step:
        return Step(
            name=self._name,
            status=status,
            seconds=time.monotonic() - self._began,
            seen=seen,
            remedy=remedy,
            error=error,
        )


class Report:
    """Collects the steps, and hands each to ``on_step`` as soon as it is over."""

    def __init__(self, on_step: Callable[[Step], None]) -> None:
        self._on_step = on_step
        self.steps: list[Step] = []

    def add(self, step: Step) -> None:
        """Add the next step."""
        # Shown at once and not at the end: a step that hangs is then the one after the last shown.
        self.steps.append(step)
        self._on_step(step)

    def skip(self, names: Iterable[StepName], why: str) -> None:
        """Add several steps that are not taken; ``why`` is shown with each."""
        for name in names:
            self.add(Step(name=name, status=StepStatus.SKIPPED, seconds=0.0, seen=why))

    def has_begun(self, name: StepName) -> bool:
        """Return whether this step was taken or skipped."""
        return any(step.name is name for step in self.steps)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the first failure; 0 without one."""
        # A later failure is often only the consequence of the first one.
        errors = (step.error for step in self.steps if step.error)
        return next((error.exit_code for error in errors), ExitCode.DONE)
