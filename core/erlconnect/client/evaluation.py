"""Expressions, evaluated by the node in its own language: Elixir where it has that, else Erlang.

The node itself reads the text, so that its syntax is its own release's. What it read is looked
through for calls that would end the node before anything of it is evaluated.
Source: OTP's ``erl_scan``, ``erl_parse`` and ``erl_eval``; Elixir's ``Code``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.client.calls import Raised, Returned, call, stop_refused
from erlconnect.client.erlang_syntax import print_erlang
from erlconnect.distribution import rpc
from erlconnect.distribution.etf import Atom, ImproperList, Map
from erlconnect.errors import RemoteCallError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erlconnect.client.calls import Outcome
    from erlconnect.client.connection import NodeConnection
    from erlconnect.distribution.etf import Pid, Term

_READ_SECONDS: Final = 30.0
_LINE: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """Evaluates at one node; what is printed goes to ``group_leader``."""

    connection: NodeConnection
    group_leader: Pid
    allow_stop: bool = False

    async def has_elixir(self) -> bool:
        """Return whether the node can evaluate Elixir."""
        found = await self._ask("code", "ensure_loaded", Atom("Elixir.Code"))
        return isinstance(found, tuple) and found[0] == "module"

    async def erlang(self, text: str, seconds: float | None) -> Outcome:
        """Evaluate Erlang expressions; a full stop may be missing at their end.

        Raises ``RemoteCallError`` for what is no Erlang, ``RefusedError`` for what ends the node.
        """
        # The full stop goes on a line of its own: the last line may end in a comment.
        stopped = text if text.rstrip().endswith(".") else f"{text}\n."
        read = await self._ask("erl_scan", "string", [ord(letter) for letter in stopped])
        if isinstance(read, tuple) and read[0] == "ok":
            read = await self._ask("erl_parse", "parse_exprs", read[1])
        match read:
            case ("ok", list() as expressions):
                pass
            case ("error", (line, Atom() as module, description), *_):
                raise await self._no_erlang(line, module, description)
            case _:
                raise RemoteCallError("no Erlang", remedy="Correct the expression.")
        if not self.allow_stop:
            for called in _erlang_calls(expressions):
                stop_refused(*called)
        return await self._evaluate(_in_a_fun(expressions), [], seconds)

    async def elixir(self, text: str, seconds: float | None) -> Outcome:
        """Evaluate Elixir code. Raises ``RefusedError`` for what would end the node."""
        code = text.encode()
        read = await self._ask("Elixir.Code", "string_to_quoted", code)
        if not self.allow_stop and isinstance(read, tuple) and read[0] == "ok":
            for called in _elixir_calls(read[1]):
                stop_refused(*called)
        # Where it is no Elixir, evaluating it raises Elixir's own error.
        variable: Term = (Atom("var"), _LINE, Atom("Text"))
        evaluated = rpc.call("Elixir.Code", "eval_string", variable)
        # Code.eval_string returns {Value, Bindings}: the bindings need not be sent.
        value = rpc.call("erlang", "element", (Atom("integer"), _LINE, 1), evaluated)
        return await self._evaluate(value, [(Atom("Text"), code)], seconds)

    async def _evaluate(self, form: Term, bindings: list[Term], seconds: float | None) -> Outcome:
        outcome = await call(
            self.connection,
            "erl_eval",
            "exprs",
            [[form], bindings],
            group_leader=self.group_leader,
            seconds=seconds,
        )
        match outcome:
            case Returned(value=("value", value, _)):
                return Returned(value=value)
        return outcome

    async def _ask(self, module: str, function: str, *args: Term) -> Term:
        outcome = await call(
            self.connection,
            module,
            function,
            args,
            group_leader=self.group_leader,
            seconds=_READ_SECONDS,
        )
        if isinstance(outcome, Raised):
            raise RemoteCallError(
                f"the expression could not be read at {self.connection.where}: "
                f"{module}:{function}/{len(args)} failed",
                remedy="See whether the expression is right.",
            )
        return outcome.value

    async def _no_erlang(self, line: Term, module: Atom, description: Term) -> RemoteCallError:
        """Return the error in the words of the module that found it."""
        characters = await self._ask(module, "format_error", description)
        text = await self._ask("unicode", "characters_to_binary", characters)
        told = text.decode(errors="replace") if isinstance(text, bytes) else "it cannot be read"
        number = print_erlang(line[0] if isinstance(line, tuple) and line else line)
        return RemoteCallError(
            f"the expression is no Erlang: {told} in line {number}",
            remedy="Correct it; quote it for the shell, e.g. 'lists:sum([1, 2]).'.",
        )


def _in_a_fun(expressions: list[Term]) -> Term:
    """Return the form of ``(fun() -> Expressions end)()``: its variables are not sent back."""
    clause: Term = (Atom("clause"), _LINE, [], [], expressions)
    fun: Term = (Atom("fun"), _LINE, (Atom("clauses"), [clause]))
    return (Atom("call"), _LINE, fun, [])


def _parts(term: Term) -> Iterator[Term]:
    """Yield ``term`` and every term inside it."""
    waiting = [term]
    while waiting:
        one = waiting.pop()
        yield one
        match one:
            case tuple() | list():
                waiting += one
            case ImproperList():
                waiting += [*one.elements, one.tail]
            case Map():
                waiting += [part for pair in one.pairs for part in pair]


def _erlang_calls(forms: Term) -> Iterator[tuple[str, str, list[Term]]]:
    """Return the calls with module and function in abstract forms; of arguments the atoms."""
    for part in _parts(forms):
        match part:
            case (
                "call",
                _,
                ("remote", _, ("atom", _, Atom() as module), ("atom", _, Atom() as function)),
                list() as args,
            ):
                yield module, function, [_constant(one) for one in args]


def _constant(form: Term) -> Term:
    match form:
        case ("atom", _, Atom() as atom):
            return atom
    return ()


def _elixir_calls(quoted: Term) -> Iterator[tuple[str, str, list[Term]]]:
    """Return the calls with module and function in quoted code."""
    for part in _parts(quoted):
        match part:
            case ((".", _, [module, Atom() as function]), _, list() as args):
                if (name := _module(module)) is not None:
                    yield name, function, args


def _module(quoted: Term) -> str | None:
    match quoted:
        case Atom():
            return quoted
        case ("__aliases__", _, [*names]) if all(isinstance(name, Atom) for name in names):
            return ".".join(["Elixir", *map(str, names)])
    return None
