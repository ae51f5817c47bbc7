"""``erlconnect rpc TARGET MODULE FUNCTION [TERM...]``: one call, without Erlang on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from erlconnect.command_line import options
from erlconnect.command_line.options import CliOptions, takes_cli_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.distribution.etf import Term

HELP = """
Call a function in the node that TARGET is, and print what it returns. It needs no Erlang here.

What the call prints is shown on stderr while it prints it. Ctrl-C and `--timeout` end its process.

Examples:

  erlconnect rpc -b fixed app@10.3.2.1 erlang system_info otp_release

  erlconnect rpc prod/shop Shop.Release migrate --timeout 10m

  erlconnect rpc -b consul shop lists sum '[1, 2, 3]' --all
"""


@takes_cli_options(without=("visible", "as_name", "local_cookie_file", "inbound"))
def rpc(
    *,
    target: options.Target,
    module: Annotated[
        str,
        typer.Argument(
            metavar="MODULE",
            help="A module: `lists`, or `Shop.Release` for one of Elixir.",
            show_default=False,
        ),
    ],
    function: Annotated[
        str, typer.Argument(metavar="FUNCTION", help="Its name.", show_default=False)
    ],
    terms: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TERM]...", help="Its arguments, in Erlang's syntax.", show_default=False
        ),
    ] = None,
    cli: CliOptions,
    json_args: Annotated[
        bool,
        typer.Option("--json-args", help="The arguments are JSON.", rich_help_panel=options.CALL),
    ] = False,
    check: options.Check = False,
    timeout: options.Timeout = None,
    elixir: options.Elixir = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the terms and call."""
    from erlconnect.client.calls import stop_refused  # noqa: PLC0415 - --help is quick
    from erlconnect.command_line.output import CommandOutput  # noqa: PLC0415 - --help is quick
    from erlconnect.command_line.remote_calls import (  # noqa: PLC0415
        CallOptions,
        FunctionCall,
        call_targets,
        parse_time,
    )

    name = module_name(module)
    args = _arguments(terms or (), as_json=json_args)
    if not cli.allow_stop:
        stop_refused(name, function, args)
    call_targets(
        target,
        cli,
        CommandOutput(options.OutputOptions(as_json=json, quiet=quiet, verbose=verbose)),
        FunctionCall(module=name, function=function.removeprefix(":"), args=args),
        CallOptions(
            seconds=parse_time(timeout),
            check=check,
            elixir=name.startswith("Elixir.") if elixir is None else elixir,
        ),
    )


def module_name(text: str) -> str:
    """Return the atom that MODULE means: ``Shop.Release`` is Elixir's ``'Elixir.Shop.Release'``."""
    if text[:1] == "'" == text[-1:] and len(text) > 2:  # noqa: PLR2004 - two quotes
        return text[1:-1]
    if text[:1].isupper() and text != "Elixir" and not text.startswith("Elixir."):
        return f"Elixir.{text}"
    return text.removeprefix(":")


def _arguments(texts: Sequence[str], *, as_json: bool) -> list[Term]:
    from erlconnect.client.erlang_syntax import parse_erlang  # noqa: PLC0415 - --help is quick
    from erlconnect.client.json_terms import parse_json  # noqa: PLC0415
    from erlconnect.errors import UsageError  # noqa: PLC0415

    parse, syntax = (parse_json, "JSON") if as_json else (parse_erlang, "Erlang's syntax")
    terms: list[Term] = []
    for number, text in enumerate(texts, 1):
        try:
            terms.append(parse(text))
        except ValueError as error:
            raise UsageError(
                f"the argument {number} of the call, {text}, is no term in {syntax}: {error}",
                remedy="Quote it for the shell, e.g. '{ok, <<\"text\">>}'.",
            ) from error
    return terms
