"""Takes the secrets of this process out of every text for people, logs or files.

``remember`` takes each secret; ``redact`` finds all forms in which one turns up in text: as it
is, inside ``repr`` and JSON, quoted for a URL, in base64. Fields with known content (an alias, a
port) do not pass through it, because a cookie may be a common word.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import traceback
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

REPLACEMENT: Final = "[redacted]"
# Shorter ones occur inside ordinary words, and so do short stretches of base64.
_SHORTEST_ANYWHERE: Final = 4
_SHORTEST_BASE64_CORE: Final = 6
_BASE64_LETTER: Final = r"[0-9A-Za-z+/_\-]"
_URL_SAFE: Final = str.maketrans("+/", "-_")


class Redactor:
    """A set of secrets and the one pattern that finds all of them; safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expressions: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def remember(self, secret: str) -> None:
        """Keep ``secret`` out of every later ``redact``; a blank one is no secret."""
        if not secret.strip():
            return
        with self._lock:
            expressions = self._expressions | frozenset(_expressions(secret))
            if expressions != self._expressions:
                # The first alternative that fits is taken, so a form comes before its own
                # beginning.
                longest_first = sorted(expressions, key=lambda text: (-len(text), text))
                # The replacement matches itself, so that redacting twice changes nothing.
                self._pattern = re.compile("|".join((re.escape(REPLACEMENT), *longest_first)))
                self._expressions = expressions

    def redact(self, text: str) -> str:
        """Return ``text`` with every form of every remembered secret replaced."""
        # Read once and without the lock: ``remember`` replaces the whole pattern.
        pattern = self._pattern
        return text if pattern is None else pattern.sub(REPLACEMENT, text)


def _expressions(secret: str) -> Iterator[str]:
    """Return the regular expressions that find ``secret`` in text."""
    for form in _written_forms(secret):
        if len(secret) < _SHORTEST_ANYWHERE:
            yield rf"(?<!\w){re.escape(form)}(?!\w)"
        else:
            yield re.escape(form)
    for encoded in _encodings(secret):
        yield from _base64_expressions(encoded)


def _written_forms(secret: str) -> set[str]:
    """Return the ways in which Python, JSON and URLs write ``secret``, without outer quotes."""
    forms = {
        secret,
        repr(secret)[1:-1],
        # Beside a double quote, repr escapes the single quotes that it leaves alone here.
        repr(secret + '"')[1:-2],
        ascii(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
    for encoded in _encodings(secret):
        forms |= {repr(encoded)[2:-1], quote(encoded), quote(encoded, safe=""), quote_plus(encoded)}
    return forms | {re.sub("%[0-9A-F]{2}", lambda hit: hit[0].lower(), form) for form in forms}


def _encodings(secret: str) -> set[bytes]:
    """Return the bytes of ``secret`` in UTF-8 and, where it has them, in Latin-1."""
    encoded = {secret.encode(errors="replace")}
    if max(secret) <= "\xff":
        encoded.add(secret.encode("latin-1"))
    return encoded


def _base64_expressions(secret: bytes) -> Iterator[str]:
    """Return the expressions for ``secret`` in base64, alone or inside something longer.

    Three bytes make four letters (RFC 4648, section 4), so that there are three positions in which
    a secret can begin. Letters at both ends that also hold bits of other bytes may be any.
    """
    whole = base64.b64encode(secret).decode().rstrip("=")
    for letters in {whole, whole.translate(_URL_SAFE)}:
        yield rf"(?<!{_BASE64_LETTER}){re.escape(letters)}(?!{_BASE64_LETTER})={{0,2}}"
    for before in range(3):
        shifted = base64.b64encode(bytes(before) + secret).decode().rstrip("=")
        front = _BASE64_LETTER if before else ""
        back = _BASE64_LETTER if (before + len(secret)) % 3 else ""
        core = shifted[before + bool(before) : len(shifted) - bool(back)]
        if len(core) >= _SHORTEST_BASE64_CORE:
            for letters in {core, core.translate(_URL_SAFE)}:
                yield f"{front}{re.escape(letters)}{back}={{0,2}}"


_process_wide: Final = Redactor()


def remember(secret: str) -> None:
    """Keep ``secret`` out of every later text of this process; it is never forgotten."""
    _process_wide.remember(secret)


def redact(text: str) -> str:
    """Return ``text`` with every secret of this process replaced by ``[redacted]``."""
    return _process_wide.redact(text)


def redacted_traceback(error: BaseException) -> str:
    """Return the traceback of ``error`` with its causes and notes, without the secrets in it."""
    return redact("".join(traceback.format_exception(error)))


class RedactingFilter(logging.Filter):
    """Takes the secrets out of log records: message, arguments, exception and stack.

    It belongs on handlers; a filter of a logger does not see the records of its children.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite ``record`` in place; never drops one and never raises."""
        record.msg, record.args = redact(_message(record)), None
        if record.exc_info and record.exc_info[1] is not None:
            record.exc_text = redacted_traceback(record.exc_info[1])
        elif record.exc_text:
            record.exc_text = redact(record.exc_text)
        # Without it, a formatter that draws tracebacks itself would do so from the exception.
        record.exc_info = None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def _message(record: logging.LogRecord) -> str:
    """Return the formatted message; one that cannot be formatted would print its arguments."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - __str__ of an argument may raise anything
        return f"{record.msg!s} (its arguments do not fit: {type(error).__name__})"
