"""The command line as a whole: the group of commands, and the end of one that fails.

The entry point ``main`` turns every error into one message, one remedy and one exit code. The
commands are declared in ``commands``.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import typer
from typer.core import TyperGroup

from erlconnect.command_line import commands, rpc, top
from erlconnect.command_line import eval as eval_command
from erlconnect.command_line.completion import exit_completion
from erlconnect.command_line.stdio import ignore_broken_pipe, open_missing_streams
from erlconnect.errors import ErlconnectError, UsageError
from erlconnect.redaction import redact, redacted_traceback

_EXAMPLES: Final = """
Connect local Erlang and Elixir tools to a remote node, as if it ran on this machine.

Examples:

  erlconnect -b dns my-service.shop.svc.cluster.local

  erlconnect -b fixed app@10.3.2.1 --cookie-from env:APP_COOKIE

  erlconnect -b dns _epmd._tcp.shop.internal -o server=127.0.0.1:5353 --json

A target that is called like a command: `erlconnect connect plugins`.
"""


class ConnectByDefault(TyperGroup):
    """``erlconnect TARGET`` is short for ``erlconnect connect TARGET``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert ``connect`` where the first word is no command and no option of the group."""
        # Typer adds the two options of completion to the group.
        own = {"--help", "--version", "--install-completion", "--show-completion"}
        if args and args[0] not in own and args[0] not in self.commands:
            args = ["connect", *args]
        if args[:1] == ["top"]:
            args = top.with_port(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; with ``--json`` print usage errors of typer as an event."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # The class of typer's own errors has no name that is public in all its versions.
            if not hasattr(error, "format_message") or not _json_requested():
                raise
            raise UsageError(
                error.format_message(), remedy=f"See `{ctx.info_name} {ctx.invoked_subcommand} -h`."
            ) from None

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Complete the first word as a command, and as a TARGET or an option of ``connect``."""
        connecting = self.commands["connect"]
        parts: list[Any] = [connecting]
        if not incomplete.startswith("-"):
            parts += [one for one in connecting.params if one.name == "target"]
        # Only the parameters of the command are needed: nothing is parsed strictly, nothing runs.
        with connecting.make_context("connect", [], parent=ctx, resilient_parsing=True) as inner:
            found = [item for part in parts for item in part.shell_complete(inner, incomplete)]
        own = super().shell_complete(ctx, incomplete)
        return [*own, *(item for item in found if item.value not in {one.value for one in own})]


app = typer.Typer(
    cls=ConnectByDefault,
    help=_EXAMPLES,
    no_args_is_help=True,
    # Tracebacks by rich can show local variables, and those may hold a cookie.
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version  # noqa: PLC0415 - only when it is asked for

        typer.echo(f"erlconnect {version('erlconnect')}")
        raise typer.Exit


@app.callback()
def _group(
    *,
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    pass


app.command("connect", help=commands.CONNECT_HELP)(commands.connect)
app.command("shell", help=commands.SHELL_HELP)(commands.shell)
app.command("run", help=commands.RUN_HELP)(commands.run)
app.command("status", help=commands.STATUS_HELP)(commands.status)
app.command("doctor", help=commands.DOCTOR_HELP)(commands.doctor)
app.command("ping", help=commands.PING_HELP)(commands.ping)
app.command("targets", help=commands.TARGETS_HELP)(commands.targets)
app.command("rpc", help=rpc.HELP)(rpc.rpc)
app.command("eval", help=eval_command.HELP)(eval_command.evaluate)
app.command("top", help=top.HELP)(top.top)
app.command("demo")(commands.demo)
app.command("plugins")(commands.plugins)
app.add_typer(commands.profiles_group, name="profiles")
app.command("trust", help=commands.TRUST_HELP)(commands.trust)


def main() -> None:
    """Run the command line; every error ends it with its exit code and without a traceback."""
    open_missing_streams()
    try:
        app()
    except SystemExit as ended:
        exit_completion(ended.code)
        raise
    except Exception as error:  # noqa: BLE001 - nothing is above this
        sys.exit(report_and_exit_code(error, as_json=_json_requested()))


def _json_requested() -> bool:
    """Return whether ``--json`` was given, also where the arguments could not be parsed."""
    words = sys.argv[1:]
    # What follows ``--`` belongs to the program that ``erlconnect run`` starts.
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def report_and_exit_code(error: Exception, *, as_json: bool) -> int:
    """Print ``error`` and return the exit code; a traceback only for a bug of erlconnect."""
    if not isinstance(error, ErlconnectError):
        _print_error(redacted_traceback(error))
        error = ErlconnectError(
            f"erlconnect itself failed: {type(error).__name__}: {error}",
            remedy="This is a bug; please report it with the traceback above.",
        )
    if as_json:
        from erlconnect.command_line.output import JsonReporter  # noqa: PLC0415 - --help is quick
        from erlconnect.session.events import Failed  # noqa: PLC0415

        JsonReporter().report(Failed(error=error))
    else:
        _print_error(redact(f"error: {error.message}\n{error.remedy}"))
    return int(error.exit_code)


def _print_error(text: str) -> None:
    with ignore_broken_pipe(sys.stderr):
        print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
