"""Running an examination for ``doctor``, and showing its steps as they end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.output import OutputOptions, plain, print_line, print_text, run_async
from erlconnect.command_line.profiles_check import look
from erlconnect.command_line.resolve import resolve_config
from erlconnect.command_line.stdio import ignore_broken_pipe
from erlconnect.diagnostics.doctor import examine, needed_rights
from erlconnect.diagnostics.events import role_payload, step_payload
from erlconnect.diagnostics.remote_steps import REMOTE_STEPS
from erlconnect.diagnostics.steps import Report, StepName, StepStatus, StepTimer
from erlconnect.errors import ConfigurationError, UsageError
from erlconnect.plugin_manager import Catalogue
from erlconnect.redaction import redact

if TYPE_CHECKING:
    from erlconnect.command_line.options import CliOptions
    from erlconnect.command_line.resolve import ResolvedConfig
    from erlconnect.diagnostics.steps import Step
    from erlconnect.errors import ExitCode

_NAME_WIDTH: Final = max(len(name) for name in StepName)
_STATUS_WIDTH: Final = max(len(status) for status in StepStatus)
_STYLES: Final = {
    StepStatus.OK: "green",
    StepStatus.NOTE: "yellow",
    StepStatus.FAILED: "bold red",
    StepStatus.SKIPPED: "dim",
}


def diagnose(
    target: str | None, flags: CliOptions, *, as_json: bool, quiet: bool, verbose: bool
) -> ExitCode:
    """Take all steps and show them; return the exit code of the first that failed."""
    if target is None and (flags.backend or flags.profile):
        raise UsageError(
            f"{flags.backend or flags.profile} says where to look, and nothing says what for",
            remedy="Name a TARGET; with nothing at all this machine alone is looked at.",
        )
    voice = OutputOptions(as_json=as_json, quiet=quiet, verbose=verbose)
    display = None if as_json else Display(voice)
    examination = Report(display.step if display else _tell_json)
    chosen = _chosen(target, flags, examination, voice)
    choices = chosen.choices[0] if chosen and chosen.choices else None
    catalogue = chosen.catalogue if chosen else Catalogue()
    run_async(examine(choices, catalogue, os.environ, examination, voice.warn))
    if display:
        display.summary(examination.steps)
    return examination.exit_code


def print_role(target: str | None, flags: CliOptions, *, as_json: bool) -> None:
    """Print the smallest role or policy. Raises ``UsageError`` where the backend has none."""
    voice = OutputOptions(as_json=as_json, quiet=False, verbose=False)
    chosen = resolve_config(
        [target or ""], flags, environment=os.environ, warn=voice.warn, ask=False
    )
    choices = chosen.choices[0]
    text = run_async(needed_rights(choices, chosen.catalogue, os.environ, voice.warn))
    if as_json:
        print_line(role_payload(choices.backend.name, text))
    else:
        print_text(text)


def _chosen(
    target: str | None, flags: CliOptions, examination: Report, voice: OutputOptions
) -> ResolvedConfig | None:
    """Read configuration and flags; ``None`` where a file or variable cannot be used.

    Without a target all profiles are checked, with one only what it needs.
    """
    stage = StepTimer(StepName.CONFIGURATION)
    targets = [] if target is None else [target]
    try:
        if not targets:
            _check_all(flags)
        chosen = resolve_config(targets, flags, environment=os.environ, warn=voice.warn, ask=False)
    except ConfigurationError as error:
        examination.add(stage.failed(error))
        if targets:
            examination.skip(REMOTE_STEPS, "the configuration cannot be used")
        return None
    examination.add(stage.ok("files and variables are understood"))
    return chosen


def _check_all(flags: CliOptions) -> None:
    _, problems = look(flags.config)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        first = problems[0].error()
        raise ConfigurationError(
            f"{first.message}{more}",
            remedy=f"{first.remedy} `erlconnect profiles check` lists all that is wrong.",
        )


def _tell_json(step: Step) -> None:
    print_line(step_payload(step))


class Display:
    """Steps as lines of text, in colours on a terminal; quiet, only what failed or is to be known.

    What nodes and directories say is kept from commanding the terminal.
    """

    def __init__(self, voice: OutputOptions) -> None:
        from rich.console import Console  # noqa: PLC0415 - not needed with --json

        self._voice = voice
        self._console = Console(highlight=False, soft_wrap=True)

    def step(self, step: Step) -> None:
        """Show one step, and that the next one is being taken."""
        if self._voice.quiet and step.status in (StepStatus.OK, StepStatus.SKIPPED):
            return
        took = f"{step.seconds * 1000:.1f} ms" if step.status is not StepStatus.SKIPPED else ""
        head = f"{step.name:{_NAME_WIDTH}}  {step.status:{_STATUS_WIDTH}}  {took:>10}  "
        self._print(head, _STYLES[step.status], step.seen)
        if step.remedy:
            self._print(" " * len(head), "", step.remedy)
        self._voice.reporter.progress("looking at the next step")

    def summary(self, steps: list[Step]) -> None:
        """Show how many steps ended how."""
        counts = {status: sum(step.status is status for step in steps) for status in StepStatus}
        told = [f"{number} {status}" for status, number in counts.items() if number]
        self._voice.silence()
        if not self._voice.quiet:
            self._print("", "", f"{len(steps)} steps: {', '.join(told)}")

    def _print(self, head: str, style: str, text: str) -> None:
        from rich.text import Text  # noqa: PLC0415 - as above

        self._voice.silence()
        with ignore_broken_pipe(sys.stdout):
            self._console.print(Text(head, style) + Text(plain(redact(text), sys.stdout)))
            sys.stdout.flush()
