"""``erlconnect eval TARGET EXPR``: an expression, evaluated by the node in its own language."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from erlconnect.command_line import options
from erlconnect.command_line.options import CliOptions, takes_cli_options

if TYPE_CHECKING:
    from erlconnect.client.calls import Outcome
    from erlconnect.client.connection import NodeConnection
    from erlconnect.client.group_leader import GroupLeader
    from erlconnect.command_line.remote_calls import CallOptions

HELP = """
Evaluate an expression in the node that TARGET is, and print its value. It needs no Erlang here.

The language is Elixir where the node has it, else Erlang. What the expression prints is shown on
stderr while it prints it. Ctrl-C and `--timeout` end its process.

Examples:

  erlconnect eval prod/shop 'Shop.Repo.aggregate(Shop.Order, :count)'

  erlconnect eval -b fixed app@10.3.2.1 --erlang 'erlang:memory(total)'

  erlconnect eval -b consul shop -
"""


@takes_cli_options(without=("visible", "as_name", "local_cookie_file", "inbound"))
def evaluate(
    *,
    target: options.Target,
    expression: Annotated[
        str,
        typer.Argument(
            metavar="EXPR", help="The expression; `-` reads it from stdin.", show_default=False
        ),
    ],
    cli: CliOptions,
    check: options.Check = False,
    timeout: options.Timeout = None,
    elixir: options.Elixir = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the expression and have it evaluated."""
    from erlconnect.command_line.output import CommandOutput  # noqa: PLC0415 - --help is quick
    from erlconnect.command_line.remote_calls import (  # noqa: PLC0415
        CallOptions,
        call_targets,
        parse_time,
    )

    text = sys.stdin.read() if expression == "-" else expression
    call_targets(
        target,
        cli,
        CommandOutput(options.OutputOptions(as_json=json, quiet=quiet, verbose=verbose)),
        Evaluation(text=text, elixir=elixir, allow_stop=cli.allow_stop),
        CallOptions(seconds=parse_time(timeout), check=check),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One expression; ``elixir`` is ``None`` to take what the node has."""

    text: str
    elixir: bool | None
    allow_stop: bool

    def named(self) -> str:
        """Name it in messages."""
        return "the expression"

    async def run(
        self, connection: NodeConnection, leader: GroupLeader, options: CallOptions
    ) -> tuple[Outcome, bool]:
        """Evaluate it."""
        from erlconnect.client.evaluation import Evaluator  # noqa: PLC0415 - --help is quick

        evaluator = Evaluator(
            connection=connection, group_leader=leader.pid, allow_stop=self.allow_stop
        )
        elixir = await evaluator.has_elixir() if self.elixir is None else self.elixir
        work = evaluator.elixir if elixir else evaluator.erlang
        return await work(self.text, options.seconds), elixir
