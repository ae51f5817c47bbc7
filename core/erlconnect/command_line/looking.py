"""What the commands share that look at targets and serve none: doctor, ping, targets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from erlconnect.command_line.reporting import HumanReporter, JsonReporter
from erlconnect.errors import InterruptedByUserError
from erlconnect.session.events import Warned

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from erlconnect.session.events import Reporter

Result = TypeVar("Result")


class Voice:
    """Where such a command says what is not its result: JSON lines, or text on stderr."""

    def __init__(self, *, as_json: bool, quiet: bool, verbose: bool) -> None:
        if verbose:
            from erlconnect.command_line.serving import log_to_stderr  # noqa: PLC0415 - asyncio's

            log_to_stderr()
        self.as_json = as_json
        self.quiet = quiet
        self.reporter: Reporter = JsonReporter() if as_json else HumanReporter(quiet=quiet)

    def warn(self, message: str) -> None:
        """Tell something that stops nothing."""
        self.reporter.report(Warned(message=message))

    def silence(self) -> None:
        """End what progress shows, before a result is printed."""
        if isinstance(self.reporter, HumanReporter):
            self.reporter.stop_progress()


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Do the work; Ctrl-C ends it, cleans up and is an error of its own."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise InterruptedByUserError("stopped before it was done", remedy="") from None
