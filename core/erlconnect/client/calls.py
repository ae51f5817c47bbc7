"""Calls to a remote node: the process that runs one, its end, and what it ended with.

The process is linked to us, so that it does not outlive the connection, whatever ends that. What
it spawned itself goes on. A timeout, and a cancellation here, kill it.
Source: OTP's ``erpc`` for what a call ends with, and ``rpc`` for nodes without spawn requests.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.control_messages import kill, link, send, send_to_name, spawn_request
from erlconnect.distribution.etf import Atom, Pid, Term
from erlconnect.errors import ErlconnectError, NotDistributionError, RefusedError, TimedOutError
from erlconnect.guard.stop_calls import stopping_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.client.connection import NodeConnection
    from erlconnect.distribution.etf import Reference

_KILL_SECONDS: Final = 2.0
_BADRPC: Final = ("badrpc",)


def stop_refused(module: str, function: str, args: Sequence[Term]) -> None:
    """Raise ``RefusedError`` for a call that would end or restart the node."""
    if named := stopping_call(Atom(module), Atom(function), list(args)):
        raise RefusedError(
            f"{named} would end or restart the remote node, and was not sent",
            remedy="If that is what you want, add --allow-stop.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The call returned ``value``."""

    value: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The call ended otherwise; ``kind`` is ``error``, ``exit`` or ``throw``."""

    kind: str
    reason: Term
    stack: Term = ()


Outcome = Returned | Raised


async def call(
    connection: NodeConnection,
    module: str,
    function: str,
    args: Sequence[Term],
    *,
    group_leader: Pid,
    seconds: float | None = None,
    options: Sequence[Term] = (),
) -> Outcome:
    """Run ``module:function`` in a process of the node and return what it ended with.

    ``options`` are those of ``erlang:spawn_opt``, where the node understands spawn requests.
    Raises ``TimedOutError`` after ``seconds``, and what the connection ends with. Cancelled or
    timed out, it kills the process before it returns.
    """
    running = _Running(connection, group_leader)
    try:
        async with asyncio.timeout(seconds):
            return await running.run(module, function, args, options)
    except TimeoutError as error:
        await running.kill()
        raise TimedOutError(
            f"{module}:{function}/{len(args)} had not returned after {seconds:g} s at "
            f"{connection.where}; its process there was killed",
            remedy="Give it more time with `--timeout`.",
        ) from error
    except asyncio.CancelledError:
        await running.kill()
        raise


class _Running:
    """One call, from its request on."""

    def __init__(self, connection: NodeConnection, group_leader: Pid) -> None:
        self._connection = connection
        self._group_leader = group_leader
        self._us = connection.new_pid(lambda _: None)
        self._tag = connection.new_reference()
        self._process: Pid | None = None
        self._asked = False

    async def run(
        self, module: str, function: str, args: Sequence[Term], options: Sequence[Term]
    ) -> Outcome:
        arguments: list[Term] = [self._tag, Atom(module), Atom(function), list(args)]
        if self._connection.spawns:
            self._process = await self._spawn(arguments, options)
        else:
            self._process = await self._spawn_by_rex(arguments)
        try:
            return _outcome(await self._connection.outcome(self._process), self._tag)
        finally:
            self._connection.forget(self._us)

    async def kill(self) -> None:
        """End the process and wait at most 2 s for its end; connection errors are dropped."""
        with contextlib.suppress(ErlconnectError, TimeoutError):
            async with asyncio.timeout(_KILL_SECONDS):
                # The request was sent: its process may have started, and its reply brings the pid.
                if self._process is None and self._asked:
                    spawned = await self._connection.outcome(self._tag)
                    self._process = spawned if isinstance(spawned, Pid) else None
                if self._process:
                    await self._connection.send(kill(self._us, self._process))
                    await self._connection.outcome(self._process)

    async def _spawn(self, arguments: Sequence[Term], options: Sequence[Term]) -> Pid:
        request = spawn_request(
            self._tag,
            self._us,
            self._group_leader,
            # It exits with {Ref, return, Value} and its like, so the link brings the result.
            ("erpc", "execute_call", arguments),
            [Atom("link"), *options],
        )
        await self._connection.send(*request)
        self._asked = True
        spawned = await self._connection.outcome(self._tag)
        if isinstance(spawned, Pid):
            return spawned
        raise NotDistributionError(
            f"{self._connection.where} started no process for the call ({_word(spawned)})",
            remedy="Look into its log: it may have too many processes.",
        )

    async def _spawn_by_rex(self, arguments: Sequence[Term]) -> Pid:
        """Start a process that waits until it is linked, by requests to ``rex`` alone."""
        rex = Rex(self._connection, self._group_leader)
        forms = await rex.parsed(_EXECUTE)
        tag, module, function, args = arguments
        # Bindings are an ordered dictionary: by their names.
        bindings: list[Term] = [
            (Atom("A"), args),
            (Atom("F"), function),
            (Atom("M"), module),
            (Atom("Tag"), tag),
        ]
        run: list[Term] = [Atom("erl_eval"), Atom("exprs"), [forms, bindings]]
        process = await rex.ask("erlang", "spawn", run)
        if not isinstance(process, Pid):
            raise NotDistributionError(
                f"{self._connection.where} started no process for the call",
                remedy="Look into its log: it may have too many processes.",
            )
        # Link first: the call must not end before we are linked, or its result would be lost.
        await self._connection.send(link(self._us, process))
        await self._connection.send(*send(process, tag))
        return process


# What erpc:execute_call does, after it was told to go on.
_EXECUTE: Final = """
    receive Tag -> ok end,
    exit(try {Tag, return, apply(M, F, A)}
         catch
             throw:Reason -> {Tag, throw, Reason};
             exit:Reason -> {Tag, exit, Reason};
             error:Reason:Stack -> {Tag, error, Reason, Stack}
         end).
"""


class Rex:
    """Requests to ``rex``, the server behind ``rpc``, in the form that it has for C nodes."""

    def __init__(self, connection: NodeConnection, group_leader: Pid) -> None:
        self._connection = connection
        self._group_leader = group_leader

    async def ask(self, module: str, function: str, args: Sequence[Term]) -> Term:
        """Return what the call returned. Raises ``NotDistributionError`` where it did not."""
        us = self._connection.new_pid()
        request = (Atom("call"), Atom(module), Atom(function), list(args), self._group_leader)
        try:
            await self._connection.send(*send_to_name(us, "rex", (us, request)))
            match await self._connection.outcome(us):
                case ("rex", answer) if not (isinstance(answer, tuple) and answer[:1] == _BADRPC):
                    return answer
        finally:
            self._connection.forget(us)
        raise NotDistributionError(
            f"{self._connection.where} could not run {module}:{function}/{len(args)} for a call",
            remedy="Look into its log.",
        )

    async def parsed(self, text: str) -> Term:
        """Return the abstract forms of Erlang expressions that are known to be right."""
        tokens = await self.ask("erl_scan", "string", [list(text.encode())])
        assert isinstance(tokens, tuple)  # noqa: S101 - it is {ok, Tokens, End}
        forms = await self.ask("erl_parse", "parse_exprs", [tokens[1]])
        assert isinstance(forms, tuple)  # noqa: S101 - it is {ok, Forms}
        return forms[1]


def _word(term: Term) -> str:
    return str(term) if isinstance(term, Atom) else "without a reason"


def _outcome(reason: Term, tag: Reference) -> Outcome:
    """Return what an exit reason means; one that is not of the call came from outside."""
    match reason:
        case (own, "return", value) if own == tag:
            return Returned(value=value)
        case (own, "throw" | "exit" as kind, value) if own == tag:
            return Raised(kind=str(kind), reason=value)
        case (own, "error", value, stack) if own == tag:
            return Raised(kind="error", reason=value, stack=stack)
    return Raised(kind="exit", reason=reason)
