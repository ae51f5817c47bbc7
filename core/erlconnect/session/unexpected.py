"""Exceptions that nobody foresaw, as errors for people."""

from __future__ import annotations

import logging

from erlconnect.errors import ErlconnectError
from erlconnect.redaction import redact, redacted_traceback


def unexpected(error: Exception) -> ErlconnectError:
    """Give our own bug as an error with exit code 1; the traceback goes to the log."""
    logging.getLogger("erlconnect").debug("%s", redacted_traceback(error))
    return ErlconnectError(
        redact(f"erlconnect itself failed: {type(error).__name__}: {error}"),
        remedy="This is a bug; run again with `-v` and report what it prints.",
    )
