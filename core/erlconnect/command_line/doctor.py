"""``erlconnect doctor``: run the diagnostic steps and print each one when it ends.

``--role`` prints the smallest role or policy that the backend needs instead.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.output import CommandOutput, plain, print_line, print_text, run_async
from erlconnect.command_line.profiles_check import find_problems
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
    from erlconnect.command_line.options import CliOptions, OutputOptions
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


def diagnose(target: str | None, cli: CliOptions, options: OutputOptions) -> ExitCode:
    """Run all steps and print them; return the exit code of the first one that failed."""
    if target is None and (cli.backend or cli.profile):
        raise UsageError(
            f"{cli.backend or cli.profile} says where to look, and nothing says what for",
            remedy="Name a TARGET; with nothing at all this machine alone is looked at.",
        )
    output = CommandOutput(options)
    display = None if output.as_json else StepDisplay(output)
    report = Report(display.step if display else _print_json)
    resolved = _resolve(target, cli, report, output)
    config = resolved.configs[0] if resolved and resolved.configs else None
    # Where the configuration cannot be used, the steps on this machine still run.
    catalogue = resolved.catalogue if resolved else Catalogue()
    run_async(examine(config, catalogue, os.environ, report, output.warn))
    if display:
        display.summary(report.steps)
    return report.exit_code


def print_role(target: str | None, cli: CliOptions, options: OutputOptions) -> None:
    """Print the smallest role or policy. Raises ``UsageError`` where the backend has none."""
    output = CommandOutput(options)
    resolved = resolve_config(
        [target or ""], cli, environment=os.environ, warn=output.warn, ask=False
    )
    config = resolved.configs[0]
    text = run_async(needed_rights(config, resolved.catalogue, os.environ, output.warn))
    if output.as_json:
        print_line(role_payload(config.backend.name, text))
    else:
        print_text(text)


def _resolve(
    target: str | None, cli: CliOptions, report: Report, output: CommandOutput
) -> ResolvedConfig | None:
    """Resolve the configuration; ``None`` where a file or a variable cannot be used.

    Without a target all profiles are checked; with one only what that needs.
    """
    timer = StepTimer(StepName.CONFIGURATION)
    targets = [] if target is None else [target]
    try:
        # Nobody has named a profile, so mistakes in any of them are of interest.
        if not targets:
            _check_all_profiles(cli)
        resolved = resolve_config(targets, cli, environment=os.environ, warn=output.warn, ask=False)
    except ConfigurationError as error:
        report.add(timer.failed(error))
        if targets:
            report.skip(REMOTE_STEPS, "the configuration cannot be used")
        return None
    report.add(timer.ok("files and variables are understood"))
    return resolved


def _check_all_profiles(cli: CliOptions) -> None:
    _, problems = find_problems(cli.config)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        first = problems[0].error()
        raise ConfigurationError(
            f"{first.message}{more}",
            remedy=f"{first.remedy} `erlconnect profiles check` lists all that is wrong.",
        )


def _print_json(step: Step) -> None:
    print_line(step_payload(step))


class StepDisplay:
    """Prints steps as lines of text, with colours on a terminal.

    With ``--quiet`` only failures and notes are printed.
    """

    def __init__(self, output: CommandOutput) -> None:
        from rich.console import Console  # noqa: PLC0415 - not needed with --json

        self._output = output
        # Lines are not wrapped, because people search and copy them.
        self._console = Console(highlight=False, soft_wrap=True)

    def step(self, step: Step) -> None:
        """Print one step, and show that the next one is running."""
        if self._output.quiet and step.status in (StepStatus.OK, StepStatus.SKIPPED):
            return
        took = f"{step.seconds * 1000:.1f} ms" if step.status is not StepStatus.SKIPPED else ""
        head = f"{step.name:{_NAME_WIDTH}}  {step.status:{_STATUS_WIDTH}}  {took:>10}  "
        self._print(head, _STYLES[step.status], step.seen)
        if step.remedy:
            self._print(" " * len(head), "", step.remedy)
        self._output.reporter.progress("looking at the next step")

    def summary(self, steps: list[Step]) -> None:
        """Print how many steps have which status."""
        counts = {status: sum(step.status is status for step in steps) for status in StepStatus}
        shown = [f"{number} {status}" for status, number in counts.items() if number]
        self._output.stop_progress()
        if not self._output.quiet:
            self._print("", "", f"{len(steps)} steps: {', '.join(shown)}")

    def _print(self, head: str, style: str, text: str) -> None:
        from rich.text import Text  # noqa: PLC0415 - as above

        self._output.stop_progress()
        with ignore_broken_pipe(sys.stdout):
            self._console.print(Text(head, style) + Text(plain(redact(text), sys.stdout)))
            # The reader of a pipe sees each step when it ends, not all of them at the end.
            sys.stdout.flush()
