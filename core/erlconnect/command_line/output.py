"""Showing a session's events: to programs as JSON lines, to people as text.

stdout carries the result and nothing else. Free text is redacted here, on its way out.

The words in which people are told of an event.

What the commands share that look at targets and serve none: doctor, ping, targets.

What to type next: the lines that people copy once the alias stands.

What is logged as a warning reaches whoever watches the session, as its ``warning`` events do.

A transport or a library has no other way to say something: ``open`` is given no session.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from erlconnect.command_line.stdio import Lines, ignore_broken_pipe
from erlconnect.errors import InterruptedByUserError
from erlconnect.hookspecs import LinkEvent
from erlconnect.redaction import RedactingFilter, redact
from erlconnect.session.events import (
    Failed,
    Ready,
    Refused,
    Stopped,
    TargetLost,
    TargetReplaced,
    Warned,
    payload,
    redacted_fields,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from rich.status import Status

    from erlconnect.session.events import AliasEntry, Event, Reporter

ShownEvent = Failed | LinkEvent | Refused | Stopped | TargetLost | TargetReplaced | Warned


def event_text(event: ShownEvent) -> str:
    """Return a line or two."""
    match event:
        case LinkEvent(kind="link-up"):
            text = f"{event.local_node} is connected to {event.alias} as {event.caller_name}"
        case LinkEvent():
            moved = f"{event.bytes_out} bytes out, {event.bytes_in} in"
            text = f"{event.local_node} left {event.alias}: {event.reason} ({moved})"
        case Failed():
            who = f"{event.local_node or 'somebody'} could not reach {event.alias}: "
            text = f"{who if event.alias else ''}{event.error.message}\n{event.error.remedy}"
        case Refused():
            text = f"{event.message}\n{event.remedy}"
        case Warned():
            text = f"note: {event.message}"
        case TargetLost():
            text = f"{event.node} is gone: {event.message}"
        case TargetReplaced():
            text = f"{event.alias} is now {event.node} at {event.address}:{event.dist_port}"
        case Stopped():
            text = f"stopped: {event.reason}"
    return text


def ready_text(ready: Ready, prefix: str) -> str:
    """Return the text of ``ready``; ``prefix`` goes before each command (``ERL_EPMD_PORT=…``).

    The commands are those for the first alias; with another name they are right for the others.
    """
    heads = "\n".join(_head(ready, alias) for alias in ready.aliases)
    lines = [f"  {prefix}{line}" for line in command_lines(ready.aliases[0])]
    return "\n".join([heads, "", *lines])


def _head(ready: Ready, alias: AliasEntry) -> str:
    epmd = "an embedded epmd" if ready.epmd_embedded else "the running epmd"
    return (
        f"{where_line(alias)}\n"
        f"is {alias.alias} here, by {alias.transport}, cookie from {alias.cookie_source}, "
        f"in {epmd} on port {ready.epmd_port}"
    )


def where_line(alias: AliasEntry) -> str:
    """Say which node is meant, and where it was found."""
    facts = "".join(f", {name} {value}" for name, value in alias.facts.items())
    return f"{alias.node} at {alias.address}:{alias.dist_port} ({alias.backend}{facts})"


def command_lines(alias: AliasEntry) -> list[str]:
    """Return one line for each tool, as people type it."""
    return [
        f"iex --name dev@127.0.0.1 --remsh {alias.alias}",
        f"iex --sname dev --remsh {alias.short_alias}",
        f"erl -name dev@127.0.0.1 -remsh {alias.alias}",
        (
            f"erl -name dev@127.0.0.1 -eval \"net_kernel:connect_node('{alias.alias}'), "
            'observer:start()."'
        ),
        f"erl_call -name {alias.alias} -a 'erlang node []'",
    ]


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
    with ignore_broken_pipe(sys.stdout):
        print(text, flush=True)  # noqa: T201 - stdout is the result


def plain(text: str, stream: TextIO) -> str:
    """Leave out what would command a terminal: names come from other machines."""
    shown = plain_text(text)
    return shown.encode(stream.encoding, "backslashreplace").decode(stream.encoding)


def plain_text(text: str) -> str:
    """Return ``text`` with a question mark for what is not printed, but for newlines."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


class HumanReporter:
    """Lines of text: the alias on stdout, everything else on stderr."""

    def __init__(self, *, quiet: bool, prefix: str = "") -> None:
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
        if self._quiet or not sys.stderr.isatty():
            return
        from rich.console import Console  # noqa: PLC0415 - only on a terminal
        from rich.markup import escape  # noqa: PLC0415

        self.stop_progress()
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        with ignore_broken_pipe(sys.stderr):
            self._spinner = console.status(escape(redact(message)))
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

    def _repeated(self, event: ShownEvent, text: str) -> bool:
        """Return whether this failure was shown since a link last came up.

        A node whose cookie is wrong dials again at every call.
        """
        if isinstance(event, Failed):
            repeated = text in self._failures
            self._failures.add(text)
            return repeated
        if isinstance(event, LinkEvent) and event.kind == "link-up":
            self._failures.clear()
        return False

    def _wanted(self, event: ShownEvent) -> bool:
        return isinstance(event, Failed) or not self._quiet

    def stop_progress(self) -> None:
        """Take the spinner away."""
        if self._spinner:
            with ignore_broken_pipe(sys.stderr):
                self._spinner.stop()
            self._spinner = None


Result = TypeVar("Result")


class OutputOptions:
    """Where such a command says what is not its result: JSON lines, or text on stderr."""

    def __init__(self, *, as_json: bool, quiet: bool, verbose: bool) -> None:
        if verbose:
            from erlconnect.command_line.connect import log_to_stderr  # noqa: PLC0415 - asyncio's

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


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Do the work; Ctrl-C ends it, cleans up and is an error of its own."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise InterruptedByUserError("stopped before it was done", remedy="") from None


class _Handler(logging.Handler):
    """Reports in the thread of the loop, whichever thread logs."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.WARNING)
        self.addFilter(RedactingFilter())
        self._reporter = reporter
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        event = Warned(message=record.getMessage())
        self._loop.call_soon_threadsafe(self._reporter.report, event)


@contextmanager
def report_warnings(reporter: Reporter) -> Iterator[None]:
    """Tell ``reporter`` of every warning that is logged meanwhile; needs a running loop."""
    handler = _Handler(reporter)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
