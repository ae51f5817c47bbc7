"""The end of a command that failed: one message, one remedy, one exit code."""

from __future__ import annotations

import sys

from erlconnect.command_line.streams import outliving
from erlconnect.errors import ErlconnectError
from erlconnect.redaction import redact, redacted_traceback


def report_and_exit_code(error: Exception, *, as_json: bool) -> int:
    """Show ``error`` and give the exit code; a traceback only for what is our own bug."""
    if not isinstance(error, ErlconnectError):
        _tell(redacted_traceback(error))
        error = ErlconnectError(
            f"erlconnect itself failed: {type(error).__name__}: {error}",
            remedy="This is a bug; please report it with the traceback above.",
        )
    if as_json:
        from erlconnect.command_line.reporting import JsonReporter  # noqa: PLC0415 - --help is quick
        from erlconnect.session.events import Failed  # noqa: PLC0415

        JsonReporter().report(Failed(error=error))
    else:
        _tell(redact(f"error: {error.message}\n{error.remedy}"))
    return int(error.exit_code)


def _tell(text: str) -> None:
    with outliving(sys.stderr):
        print(text, file=sys.stderr, flush=True)  # noqa: T201
