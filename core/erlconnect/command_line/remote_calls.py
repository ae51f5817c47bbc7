"""Calls at one node or at all of them, and the display of their results.

stdout has the result; what a call prints goes to stderr, as it comes.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import typer

from erlconnect.client.calls import Raised, Returned, call
from erlconnect.client.connection import CLAIMED_FLAGS, MAX_FRAME, background, node_connection
from erlconnect.client.erlang_syntax import print_erlang
from erlconnect.client.group_leader import GroupLeader
from erlconnect.client.json_terms import json_value
from erlconnect.command_line.output import plain, print_line, print_text, run_async
from erlconnect.command_line.resolve import resolve_config
from erlconnect.command_line.stdio import ignore_broken_pipe
from erlconnect.distribution.etf import Atom, Map
from erlconnect.errors import CookieNotFoundError, ErlconnectError, RemoteCallError, UsageError
from erlconnect.redaction import redact
from erlconnect.session.events import SCHEMA, Failed, payload
from erlconnect.session.inspection import inspection_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from erlconnect.client.calls import Outcome
    from erlconnect.client.connection import NodeConnection
    from erlconnect.command_line.options import CliOptions
    from erlconnect.command_line.output import CommandOutput
    from erlconnect.contract import Target
    from erlconnect.distribution.etf import Term
    from erlconnect.session.connector import ConnectedTarget
    from erlconnect.session.inspection import InspectionSession

# docs/guides/rpc-and-eval.md has the number, too.
_AT_ONCE: Final = 8
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_SECONDS: Final = {"ms": 0.001, None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
# Colours and the like change nothing but how text looks.
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How a call is made and shown; ``elixir`` says in which syntax."""

    seconds: float | None = None
    check: bool = False
    elixir: bool = False


class RemoteWork(Protocol):
    """The work that is done at each node, such as one call."""

    def named(self) -> str:
        """Name it in messages."""

    async def run(
        self, connection: NodeConnection, leader: GroupLeader, options: CallOptions
    ) -> tuple[Outcome, bool]:
        """Return the outcome, and whether to show it in Elixir's syntax."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """One call of ``module:function`` with ``args``."""

    module: str
    function: str
    args: Sequence[Term]

    def named(self) -> str:
        """Name it in messages."""
        return f"{self.module}:{self.function}/{len(self.args)}"

    async def run(
        self, connection: NodeConnection, leader: GroupLeader, options: CallOptions
    ) -> tuple[Outcome, bool]:
        """Call it."""
        outcome = await call(
            connection,
            self.module,
            self.function,
            self.args,
            group_leader=leader.pid,
            seconds=options.seconds,
        )
        return outcome, options.elixir


def parse_time(text: str | None, option: str = "--timeout") -> float | None:
    """Return the seconds of ``30s``, ``5m``, ``1.5h``, ``200ms``, ``30``. Raises ``UsageError``."""
    if text is None:
        return None
    found = _TIME.fullmatch(text)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    # A time of 0 is refused, too: every call would end at once.
    if not seconds:
        raise UsageError(f"{option} {text} is no time", remedy="Give it as 30s, 5m, 1h or 200ms.")
    return seconds


def call_targets(
    target: str, cli: CliOptions, output: CommandOutput, work: RemoteWork, options: CallOptions
) -> None:
    """Do ``work`` at the node that ``target`` means, or with ``--all`` at each, and show it.

    Raises what discovery and the connection raise, and ``RemoteCallError``; with ``--all`` these
    are shown, one a node, and the first one's exit code is that of the command.
    """
    code = run_async(_call_targets(target, cli, output, work, options))
    if code:
        raise typer.Exit(code)


async def _call_targets(
    target: str, cli: CliOptions, output: CommandOutput, work: RemoteWork, options: CallOptions
) -> int:
    async with looking_for(target, cli, output) as looking:
        targets = await looking.context.discovery.targets()
        if looking.context.config.all_targets:
            return await _call_all(looking, targets, output, work, options)
        approached = await looking.context.discovery.connect_first_of(targets)
        output.stop_progress()
        await _call_one(looking, approached, work, options, _Shown(output))
    return 0


@asynccontextmanager
async def looking_for(
    target: str, cli: CliOptions, output: CommandOutput
) -> AsyncIterator[InspectionSession]:
    """Open what discovers and connects to ``target``; the caller stops the display of progress."""
    resolved = resolve_config([target], cli, environment=os.environ, warn=output.warn)
    config = resolved.configs[0]
    output.reporter.progress(f"looking for {config.service}")
    async with inspection_session(config, resolved.catalogue, os.environ, output.warn) as looking:
        yield looking


async def _call_all(
    looking: InspectionSession,
    targets: Sequence[Target],
    output: CommandOutput,
    work: RemoteWork,
    options: CallOptions,
) -> int:
    turns = asyncio.Semaphore(_AT_ONCE)
    output.stop_progress()
    if looking.context.config.cookie_source.name:
        # A source that was named may ask a person: once, and not for several nodes at a time.
        await looking.context.cookies.fetch(targets[0], ask=not looking.context.config.no_input)

    async def one(target: Target) -> int:
        shown = _Shown(output, several=str(target.node) if target.node.name else target.address)
        try:
            async with turns:
                approached = await looking.context.connector.connect(target)
                await _call_one(looking, approached, work, options, shown)
        except ErlconnectError as error:
            shown.failure(error)
            return int(error.exit_code)
        return 0

    codes = await asyncio.gather(*map(one, targets))
    # In the order of the targets, so that the exit code does not depend on which node is faster.
    return next((code for code in codes if code), 0)


async def _call_one(
    looking: InspectionSession,
    approached: ConnectedTarget,
    work: RemoteWork,
    options: CallOptions,
    shown: _Shown,
) -> None:
    async with connected(looking, approached) as connection:
        shown.name_node(connection.node)
        async with serving(connection, shown.output) as leader:
            outcome, elixir = await work.run(connection, leader, options)
            if isinstance(outcome, Raised):
                # While the connection is open: the node itself words the exceptions of Elixir.
                raise await _raised(connection, leader, work.named(), outcome)
        shown.result(outcome, elixir=elixir)
        if options.check and _is_error(outcome):
            raise RemoteCallError(
                f"{work.named()} returned an error at {connection.node}",
                remedy="What it returned is on stdout; leave out --check to take it as a result.",
            )


@asynccontextmanager
async def connected(
    looking: InspectionSession, approached: ConnectedTarget
) -> AsyncIterator[NodeConnection]:
    """Connect to a node for calls, and close ``approached`` in the end.

    Raises ``CookieNotFoundError``, and what a handshake raises.
    """
    context = looking.context
    with closing(approached):
        remote = await context.cookies.fetch(approached.target, ask=not context.config.no_input)
        if remote.cookie is None:
            raise CookieNotFoundError(
                "with passthrough only your own node knows the cookie, and none is used here",
                remedy="Name a source with `--cookie-from`, e.g. `--cookie-from file:PATH`.",
            )
        flags, node = CLAIMED_FLAGS, str(approached.target.node)
        async with (
            looking.connection(approached, remote.cookie, flags=flags, max_frame=MAX_FRAME) as own,
            node_connection(own, node) as connection,
        ):
            yield connection


@asynccontextmanager
async def serving(
    connection: NodeConnection, write: Callable[[str], None]
) -> AsyncIterator[GroupLeader]:
    """Serve a group leader until the block is left; ``write`` gets what is printed."""
    leader = GroupLeader(connection, write)
    try:
        async with background(leader.serve()):
            yield leader
    finally:
        connection.forget(leader.pid)


def _is_error(outcome: Returned) -> bool:
    match outcome.value:
        case Atom() as atom:
            return atom == "error"
        case (Atom() as kind, *_):
            return kind == "error"
    return False


async def _raised(
    connection: NodeConnection, leader: GroupLeader, named: str, outcome: Raised
) -> RemoteCallError:
    """Return the error for a call that did not return, worded in Elixir or Erlang."""
    text = await _banner(connection, leader, outcome)
    if text is None:
        text = f"{outcome.kind} {print_erlang(outcome.reason, connection.node)}"
    frames = "".join(f"\n  {frame}" for frame in _frames(outcome.stack))
    return RemoteCallError(
        f"{named} did not return at {connection.node}: {text}{frames}",
        remedy="The call itself failed; the node let us in.",
    )


async def _banner(connection: NodeConnection, leader: GroupLeader, outcome: Raised) -> str | None:
    """Return Elixir's text for an Elixir exception; ``None`` for any other reason."""
    match outcome.reason:
        # Every exception of Elixir is a struct with this key (Kernel.defexception/1).
        case Map() if outcome.reason.get(Atom("__exception__")) == "true":
            arguments: list[Term] = [Atom(outcome.kind), outcome.reason, []]
            told = await call(
                connection,
                "Elixir.Exception",
                "format_banner",
                arguments,
                group_leader=leader.pid,
                seconds=5.0,
            )
            if isinstance(told, Returned) and isinstance(told.value, bytes):
                return told.value.decode(errors="replace")
    return None


# These frames belong to the call itself and not to the function that was called.
_OF_THE_CALL: Final = ("erpc", "erl_eval")


def _frames(stack: Term) -> list[str]:
    frames = []
    for frame in stack if isinstance(stack, list) else ():
        match frame:
            # {Module, Function, Arity | Args, Location}; undef and function_clause come with the
            # arguments (Erlang Reference Manual, "Errors and Error Handling").
            case (Atom() as module, Atom() as function, arity, list() as place):
                if module in _OF_THE_CALL:
                    continue
                count = (
                    arity
                    if isinstance(arity, int)
                    else len(arity)
                    if isinstance(arity, list)
                    else 0
                )
                known = dict(one for one in place if isinstance(one, tuple) and len(one) == 2)  # noqa: PLR2004
                frames.append(f"in {module}:{function}/{count}{_place(known)}")
    return frames


def _place(known: dict[Any, Any]) -> str:
    # The location is empty for functions without line information, such as BIFs.
    file, line = known.get("file"), known.get("line")
    if not isinstance(file, list) or not all(isinstance(one, int) for one in file):
        return ""
    return f" ({''.join(map(chr, file))}, line {line})"


class _Shown:
    """Where the output and the result of the call at one node go."""

    def __init__(self, output: CommandOutput, several: str = "") -> None:
        self._command_output = output
        self._several = bool(several)
        self._node = several

    def name_node(self, node: str) -> None:
        """Use the node's own name from now on."""
        self._node = node

    def output(self, text: str) -> None:
        """Show what the call prints, at once."""
        if self._command_output.as_json:
            print_line(output_payload(self._node, text))
            return
        with ignore_broken_pipe(sys.stderr):
            sys.stderr.write(printable_output(text, colours=sys.stderr.isatty()))
            sys.stderr.flush()

    def result(self, outcome: Returned, *, elixir: bool) -> None:
        """Show what the call returned."""
        text = (_elixir if elixir else print_erlang)(outcome.value, self._node)
        if self._command_output.as_json:
            print_line(result_payload(self._node, outcome.value, text))
        else:
            print_text(f"{self._node}: {text}" if self._several else text)

    def failure(self, error: ErlconnectError) -> None:
        """Show that the call failed at this one of several nodes."""
        if self._command_output.as_json:
            fields = {**payload(Failed(error=error)), "node": self._node}
            print_line({**fields, "message": redact(error.message)})
        else:
            # One line for each node: the frames of a stack are further lines of the message.
            print_text(f"{self._node}: {redact(error.message).partition(chr(10))[0]}")


def _elixir(term: Term, node: str) -> str:
    from erlconnect.client.elixir_syntax import print_elixir  # noqa: PLC0415 - for Elixir alone

    return print_elixir(term, node)


def printable_output(text: str, *, colours: bool) -> str:
    """Return the output without control sequences for a terminal; ``colours`` keeps colours."""
    pieces = []
    end = 0
    for found in _COLOURS.finditer(text):
        pieces += [_plain(text[end : found.start()]), found.group() if colours else ""]
        end = found.end()
    return "".join([*pieces, _plain(text[end:])])


def _plain(text: str) -> str:
    lines = text.replace("\r\n", "\n").split("\t")
    return "\t".join(plain(line, sys.stderr) for line in lines)


def output_payload(node: str, text: str) -> dict[str, Any]:
    """Return the object of a piece of output."""
    return {"schema": SCHEMA, "event": "output", "node": node, "text": text}


def result_payload(node: str, value: Term, text: str) -> dict[str, Any]:
    """Return the object of a result: as JSON, and in the syntax of its language."""
    return {
        "schema": SCHEMA,
        "event": "result",
        "node": node,
        "value": json_value(value, node),
        "text": text,
    }
