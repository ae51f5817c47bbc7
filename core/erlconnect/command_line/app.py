"""The command line as a whole: ``connect`` by default, and one exit for every error.

The end of a command that failed: one message, one remedy, one exit code.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import typer
from typer.core import TyperGroup

from erlconnect.command_line import commands, plugins, rpc, status, top
from erlconnect.command_line import eval as eval_command
from erlconnect.command_line.completion import leave_at_once
from erlconnect.command_line.stdio import ignore_broken_pipe, open_missing_streams
from erlconnect.errors import ErlconnectError, UsageError
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
        from erlconnect.command_line.output import JsonReporter  # noqa: PLC0415 - --help is quick
        from erlconnect.session.events import Failed  # noqa: PLC0415

        JsonReporter().report(Failed(error=error))
    else:
        _tell(redact(f"error: {error.message}\n{error.remedy}"))
    return int(error.exit_code)


def _tell(text: str) -> None:
    with ignore_broken_pipe(sys.stderr):
        print(text, file=sys.stderr, flush=True)  # noqa: T201


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
        """Put ``connect`` before what does not begin with a command or an option of the group."""
        own = {"--help", "--version", "--install-completion", "--show-completion"}
        if args and args[0] not in own and args[0] not in self.commands:
            args = ["connect", *args]
        if args[:1] == ["top"]:
            args = top.with_port(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; with ``--json`` what typer finds wrong is an event as every error is."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            # The class of typer's own errors has no public name in all its versions.
            if not hasattr(error, "format_message") or "--json" not in _own_words(sys.argv):
                raise
            raise UsageError(
                error.format_message(), remedy=f"See `{ctx.info_name} {ctx.invoked_subcommand} -h`."
            ) from None

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Offer for the first word what may stand behind ``connect``, too."""
        connecting = self.commands["connect"]
        parts: list[Any] = [connecting]
        if not incomplete.startswith("-"):
            parts += [one for one in connecting.params if one.name == "target"]
        with connecting.make_context("connect", [], parent=ctx, resilient_parsing=True) as inner:
            found = [item for part in parts for item in part.shell_complete(inner, incomplete)]
        own = super().shell_complete(ctx, incomplete)
        return [*own, *(item for item in found if item.value not in {one.value for one in own})]


app = typer.Typer(
    cls=ConnectByDefault,
    help=_EXAMPLES,
    no_args_is_help=True,
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
app.command("status", help=status.STATUS_HELP)(status.status)
app.command("doctor", help=commands.DOCTOR_HELP)(commands.doctor)
app.command("ping", help=commands.PING_HELP)(commands.ping)
app.command("targets", help=commands.TARGETS_HELP)(commands.targets)
app.command("rpc", help=rpc.HELP)(rpc.rpc)
app.command("eval", help=eval_command.HELP)(eval_command.evaluate)
app.command("top", help=top.HELP)(top.top)
app.command("demo")(commands.demo)
app.command("plugins")(plugins.plugins)
app.add_typer(commands.profiles_group, name="profiles")
app.command("trust", help=commands.TRUST_HELP)(commands.trust)


def main() -> None:
    """Run the command line; every error leaves with its exit code and without a traceback."""
    open_missing_streams()
    try:
        app()
    except SystemExit as ended:
        leave_at_once(ended.code)
        raise
    except Exception as error:  # noqa: BLE001 - the last stop before the user
        sys.exit(report_and_exit_code(error, as_json="--json" in _own_words(sys.argv)))


def _own_words(words: list[str]) -> list[str]:
    """Return the words before ``--``; those behind it are another program's."""
    return words[: words.index("--")] if "--" in words else words


if __name__ == "__main__":
    main()
