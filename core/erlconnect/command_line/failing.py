"""The end of a command that failed: one message, one remedy, one exit code."""

from __future__ import annotations

import sys

from erlconnect.errors import ErlconnectError
from erlconnect.redaction import redact, redacted_traceback


def report_and_exit_code(error: Exception, *, as_json: bool) -> int:
    """Show ``error`` and give the exit code; a traceback only for what is our own bug."""
    if not isinstance(error, ErlconnectError):
        print(redacted_traceback(error), file=sys.stderr)  # noqa: T201
        error = ErlconnectError(
            f"erlconnect itself failed: {type(error).__name__}: {error}",
            remedy="This is a bug; please report it with the traceback above.",
        )
    if as_json:
        from erlconnect.command_line.reporting import JsonReporter  # noqa: PLC0415 - --help is quick
        from erlconnect.session.events import Failed  # noqa: PLC0415

        JsonReporter().report(Failed(error=error))
    else:
        print(redact(f"error: {error.message}\n{error.remedy}"), file=sys.stderr)  # noqa: T201
    return int(error.exit_code)
