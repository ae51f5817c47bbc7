"""Showing a session's events: to programs as JSON lines, to people as text.

stdout carries the result and nothing else. Free text is redacted here, on its way out.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO

from erlconnect.command_line.copy_paste import ready_text
from erlconnect.command_line.event_text import event_text
from erlconnect.command_line.streams import Lines, outliving
from erlconnect.hookspecs import LinkEvent
from erlconnect.redaction import redact
from erlconnect.session.events import Failed, Ready, TargetLost, Warned, payload, redacted_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.status import Status

    from erlconnect.command_line.event_text import Told
    from erlconnect.session.events import Event


class JsonReporter:
    """One object a line on stdout."""

    def __init__(self) -> None:
        self._lines = Lines(sys.stdout, lambda number: _json(payload(_left_out(number))))

    def report(self, event: Event | LinkEvent) -> None:
        """Print the event."""
        self._lines.write(_json(payload(event)))

    def progress(self, message: str) -> None:
        """Say nothing: programs wait for ``ready``."""


def print_line(fields: dict[str, Any]) -> None:
    """Print one JSON object as a line, at once."""
    _print(_json(fields))


def _json(told: dict[str, Any]) -> str:
    fields = redacted_fields(told)
    text = json.dumps(fields, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return json.dumps(fields)
    return text


def _left_out(number: int) -> Warned:
    return Warned(message=f"{number} lines were left out here, because nobody read them")


def print_text(text: str) -> None:
    """Print what is a result for people, at once, without what would command a terminal."""
    _print(plain(text, sys.stdout))


def _print(text: str) -> None:
    with outliving(sys.stdout):
        print(text, flush=True)  # noqa: T201 - stdout is the result


def plain(text: str, stream: TextIO) -> str:
    """Leave out what would command a terminal: names come from other machines."""
    shown = "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
    return shown.encode(stream.encoding, "backslashreplace").decode(stream.encoding)


class HumanReporter:
    """Lines of text: the alias on stdout, everything else on stderr."""

    def __init__(self, *, quiet: bool, prefix: str = "") -> None:
        from rich.console import Console  # noqa: PLC0415 - not needed with --json

        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._prefix = prefix
        self._spinner: Status | None = None
        self._failures: set[str] = set()
        self._shown: set[str] = set()
        lines = Lines(sys.stderr, lambda number: event_text(_left_out(number)))
        self._own: tuple[Callable[[str], None], Callable[[str], None]] = (lines.write, _print)
        self._write: Callable[[str], None] = lines.write
        self._print: Callable[[str], None] = _print

    def write_by(self, write: Callable[[str], None] | None, *, also_result: bool = False) -> None:
        """Write lines by ``write`` from now on, and with ``also_result`` the result; or as ever."""
        own, own_result = self._own
        self._write = write or own
        self._print = write if write and also_result else own_result

    def progress(self, message: str) -> None:
        """Show what is being done: a spinner on a terminal, else nothing."""
        if self._quiet or not self._console.is_terminal:
            return
        from rich.markup import escape  # noqa: PLC0415 - not needed with --json

        self.stop_progress()
        with outliving(sys.stderr):
            self._spinner = self._console.status(escape(redact(message)))
            self._spinner.start()

    def note(self, text: str) -> None:
        """Show a line of facts, which are never redacted: a cookie may be a common word."""
        self.stop_progress()
        if not self._quiet:
            self._write(plain(text, sys.stderr))

    def report(self, event: Event | LinkEvent) -> None:
        """Show the event."""
        self.stop_progress()
        if isinstance(event, Ready):
            self._show(event)
            return
        if isinstance(event, TargetLost):
            self._shown.discard(event.alias)
        text = event_text(event)
        if text and not self._repeated(event, text) and self._wanted(event):
            self._write(plain(redact(text), sys.stderr))

    def _show(self, ready: Ready) -> None:
        """Print what was not printed before."""
        new = [alias for alias in ready.aliases if alias.alias not in self._shown]
        self._shown |= {alias.alias for alias in new}
        self._print(plain(ready_text(replace(ready, aliases=new), self._prefix), sys.stdout))

    def _repeated(self, event: Told, text: str) -> bool:
        """Say whether this failure was shown since a link last came up.

        A node whose cookie is wrong dials again at every call.
        """
        if isinstance(event, Failed):
            repeated = text in self._failures
            self._failures.add(text)
            return repeated
        if isinstance(event, LinkEvent) and event.kind == "link-up":
            self._failures.clear()
        return False

    def _wanted(self, event: Told) -> bool:
        return isinstance(event, Failed) or not self._quiet

    def stop_progress(self) -> None:
        """Take the spinner away."""
        if self._spinner:
            with outliving(sys.stderr):
                self._spinner.stop()
            self._spinner = None
