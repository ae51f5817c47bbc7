"""Showing what happens: events as JSON lines for programs, or as text for people.

stdout carries the result and nothing else; everything else goes to stderr. Free text is redacted
here, on its way out, and stripped of what would control a terminal. Every command uses this file.
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

    from erlconnect.command_line.options import OutputOptions
    from erlconnect.session.events import AliasEntry, Event, Reporter

ShownEvent = Failed | LinkEvent | Refused | Stopped | TargetLost | TargetReplaced | Warned
Result = TypeVar("Result")


class CommandOutput:
    """The output of a command that serves no session: its reporter and its form."""

    def __init__(self, options: OutputOptions) -> None:
        if options.verbose:
            log_to_stderr()
        self.as_json = options.as_json
        self.quiet = options.quiet
        self.reporter: JsonReporter | HumanReporter = (
            JsonReporter() if options.as_json else HumanReporter(quiet=options.quiet)
        )

    def warn(self, message: str) -> None:
        """Report a problem that does not stop the command."""
        self.reporter.report(Warned(message=message))

    def stop_progress(self) -> None:
        """Remove the spinner, before a result is printed."""
        self.reporter.stop_progress()


class JsonReporter:
    """Prints events as JSON on stdout, one object a line."""

    def __init__(self) -> None:
        self._lines = Lines(sys.stdout, lambda number: _json(payload(_left_out(number))))

    def report(self, event: Event | LinkEvent) -> None:
        """Print the event."""
        self._lines.write(_json(payload(event)))

    def progress(self, message: str) -> None:
        """Print nothing: programs wait for ``ready``."""

    def stop_progress(self) -> None:
        """Do nothing, because no progress is shown."""


class HumanReporter:
    """Prints lines of text: the alias on stdout, everything else on stderr."""

    def __init__(self, *, quiet: bool, prefix: str = "") -> None:
        self._quiet = quiet
        self._prefix = prefix
        self._spinner: Status | None = None
        self._reported_failures: set[str] = set()
        self._shown_aliases: set[str] = set()
        lines = Lines(sys.stderr, lambda number: event_text(_left_out(number)))
        self._streams: tuple[Callable[[str], None], Callable[[str], None]] = (lines.write, _print)
        self._write: Callable[[str], None] = lines.write
        self._print: Callable[[str], None] = _print

    def redirect(self, write: Callable[[str], None] | None, *, also_result: bool = False) -> None:
        """Write lines with ``write`` from now on; ``None`` restores the streams.

        ``also_result`` sends the result there, too, and not to stdout.
        """
        write_line, print_result = self._streams
        self._write = write or write_line
        self._print = write if write and also_result else print_result

    def progress(self, message: str) -> None:
        """Show what is being done: a spinner on a terminal, elsewhere nothing."""
        if self._quiet or not sys.stderr.isatty():
            return
        from rich.console import Console  # noqa: PLC0415 - only on a terminal
        from rich.markup import escape  # noqa: PLC0415

        self.stop_progress()
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        with ignore_broken_pipe(sys.stderr):
            # Brackets in a message would be markup for rich.
            self._spinner = console.status(escape(redact(message)))
            self._spinner.start()

    def stop_progress(self) -> None:
        """Remove the spinner."""
        if self._spinner:
            with ignore_broken_pipe(sys.stderr):
                self._spinner.stop()
            self._spinner = None

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
            # With ``--all`` it may come back, and is then shown again.
            self._shown_aliases.discard(event.alias)
        text = event_text(event)
        if text and not self._repeated(event, text) and self._wanted(event):
            self._write(plain(redact(text), sys.stderr))

    def _show(self, ready: Ready) -> None:
        """Print the aliases that were not printed before."""
        new = [alias for alias in ready.aliases if alias.alias not in self._shown_aliases]
        self._shown_aliases |= {alias.alias for alias in new}
        self._print(plain(ready_text(replace(ready, aliases=new), self._prefix), sys.stdout))

    def _repeated(self, event: ShownEvent, text: str) -> bool:
        """Return whether this failure was shown since a link last came up.

        A node whose cookie is wrong dials again at every call.
        """
        if isinstance(event, Failed):
            repeated = text in self._reported_failures
            self._reported_failures.add(text)
            return repeated
        if isinstance(event, LinkEvent) and event.kind == "link-up":
            self._reported_failures.clear()
        return False

    def _wanted(self, event: ShownEvent) -> bool:
        return isinstance(event, Failed) or not self._quiet


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run ``work`` to its end. Ctrl-C cancels it and raises ``InterruptedByUserError``."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise InterruptedByUserError("stopped before it was done", remedy="") from None


def print_line(fields: dict[str, Any]) -> None:
    """Print one JSON object as a line, at once."""
    _print(_json(fields))


def _json(fields: dict[str, Any]) -> str:
    redacted = redacted_fields(fields)
    # Names stay readable where the stream can show them.
    text = json.dumps(redacted, ensure_ascii=False)
    try:
        # stdout may be ASCII, as under LC_ALL=C before Python's UTF-8 mode.
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return json.dumps(redacted)
    return text


def _left_out(number: int) -> Warned:
    return Warned(message=f"{number} lines were left out here, because nobody read them")


def print_text(text: str) -> None:
    """Print a result for people, at once; control characters become question marks."""
    _print(plain(text, sys.stdout))


def _print(text: str) -> None:
    with ignore_broken_pipe(sys.stdout):
        # Python fills a block before it writes to a pipe, and a program waits for this line.
        print(text, flush=True)  # noqa: T201 - stdout is the result


def plain(text: str, stream: TextIO) -> str:
    """Return ``text`` without control characters: names come from other machines."""
    shown = plain_text(text)
    # What the stream cannot encode must not raise.
    return shown.encode(stream.encoding, "backslashreplace").decode(stream.encoding)


def plain_text(text: str) -> str:
    """Return ``text`` with a question mark for what is not printable, except newlines."""
    if text.isprintable():
        return text
    # Escape characters are not printable, nor are those that turn the direction of text (U+202E).
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def log_to_stderr() -> None:
    """Log everything on stderr, without secrets."""
    handler = logging.StreamHandler(sys.stderr)
    # On the handler, because filters of a logger do not see the records of its children.
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])


@contextmanager
def report_warnings(reporter: Reporter) -> Iterator[None]:
    """Report every warning that is logged meanwhile as an event; needs a running loop.

    Transports and libraries get no reporter and have no other way to say something.
    """
    handler = _WarningHandler(reporter)
    # At the root, because every library has a logger of its own.
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


class _WarningHandler(logging.Handler):
    """Reports logged warnings in the thread of the event loop, whichever thread logs them."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.WARNING)
        self.addFilter(RedactingFilter())
        self._reporter = reporter
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        event = Warned(message=record.getMessage())
        # A library may log in a thread of its own; reporters belong to the thread of the loop.
        self._loop.call_soon_threadsafe(self._reporter.report, event)


def event_text(event: ShownEvent) -> str:
    """Return a line or two about ``event``, for people."""
    match event:
        case LinkEvent(kind="link-up"):
            text = f"{event.local_node} is connected to {event.alias} as {event.caller_name}"
        case LinkEvent():
            moved = f"{event.bytes_out} bytes out, {event.bytes_in} in"
            text = f"{event.local_node} left {event.alias}: {event.reason} ({moved})"
        case Failed():
            caller = f"{event.local_node or 'somebody'} could not reach {event.alias}: "
            text = f"{caller if event.alias else ''}{event.error.message}\n{event.error.remedy}"
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
    """Return which node is meant, and where it was found."""
    facts = "".join(f", {name} {value}" for name, value in alias.facts.items())
    return f"{alias.node} at {alias.address}:{alias.dist_port} ({alias.backend}{facts})"


def command_lines(alias: AliasEntry) -> list[str]:
    """Return one command for each tool, as people type it."""
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
