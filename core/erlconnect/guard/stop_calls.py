"""Finding a call that stops a node: in a call's arguments, in code as data, in what is typed.

Each search returns the function as ``module:function/arity``, with ``*`` where the arity is not
known, or nothing. It prevents accidents, not attacks: names that are computed are not found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from erlconnect.distribution.bounded_terms import Export, is_atom
from erlconnect.distribution.etf import Atom, ImproperList
from erlconnect.guard.calls import subterms
from erlconnect.guard.rules import (
    APPLICATION_STOPS,
    STOPPING,
    STOPPING_APPLICATIONS,
    STOPPING_LOCALS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# Calls that evaluate text: the searches of what is typed hold for their arguments, too.
_EVALUATORS: Final = {
    "Elixir.Code",
    "elixir",
    "erl_eval",
    "erl_scan",
    "Elixir.Module",
    "Elixir.Kernel.CLI",
    "Elixir.IEx.Evaluator",
}
_LONGEST_TEXT: Final = 65536
_FORM_SIZE: Final = 4
_QUOTED_SIZE: Final = 3
_TRIPLE: Final = 3


def stopping_function(module: object, function: object, arity: int | None) -> str | None:
    """Return the name of a function that stops its node."""
    if not (isinstance(module, Atom) and isinstance(function, Atom)):
        return None
    arities = STOPPING.get((module, function))
    if arities is None or (arity is not None and arity not in arities):
        return None
    return f"{_shown(module)}:{function}/{'*' if arity is None else arity}"


def stopping_call(module: object, function: object, arguments: Any) -> str | None:
    """Return the stopping function of a call, or of what its arguments would call or evaluate."""
    arity = len(arguments) if isinstance(arguments, list) else None
    if found := stopping_function(module, function, arity):
        return found
    if (module, function) in APPLICATION_STOPS and isinstance(arguments, list):
        return _application(module, arguments)
    if isinstance(module, Atom) and module in _EVALUATORS:
        return stopping_in_term(arguments) or _in_texts(arguments)
    return stopping_in_term(arguments)


def _application(module: object, arguments: Sequence[Any]) -> str | None:
    # Only applications that the node cannot run without: others may be stopped.
    if any(is_atom(arguments[0], name) for name in STOPPING_APPLICATIONS if arguments):
        return f"{_shown(str(module))}:stop/{len(arguments)}"
    return None


def _shown(module: str) -> str:
    return module.removeprefix("Elixir.")


def stopping_in_term(term: Any) -> str | None:
    """Return the first stopping call in a term: a fun, a name with arguments, code as data."""
    for each in subterms(term):
        found = None
        if isinstance(each, Export):
            arity = each.arity if isinstance(each.arity, int) else None
            found = stopping_function(each.module, each.function, arity)
        # Erlang code as data, Elixir code as data, and {M, F, A} are all tuples.
        elif isinstance(each, tuple):
            found = _form(each) or _quoted(each) or _triple(each)
        elif isinstance(each, list):
            found = _triple(each)
        elif isinstance(each, ImproperList):
            found = _triple(each.elements)
        if found:
            return found
    return None


def _triple(terms: Sequence[Any]) -> str | None:
    """Return the stopping call of a module, a function and an argument list in a row."""
    for module, function, arguments in zip(terms, terms[1:], terms[2:], strict=False):
        if not isinstance(arguments, list):
            continue
        if found := stopping_function(module, function, len(arguments)):
            return found
        if (module, function) in APPLICATION_STOPS:
            return _application(module, arguments)
    return None


def _form(form: tuple[Any, ...]) -> str | None:
    """Return the stopping call of an abstract form of Erlang: a call or a fun."""
    match form:
        case (
            "call",
            _,
            ("remote", _, ("atom", _, module), ("atom", _, function)),
            list() as arguments,
        ):
            if (module, function) in APPLICATION_STOPS:
                return _application(module, [each[2] for each in arguments if _is_atom_form(each)])
            return stopping_function(module, function, len(arguments))
        case ("call", _, ("atom", _, Atom() as function), list() as arguments):
            return _local(function, len(arguments))
        case (
            "fun",
            _,
            ("function", ("atom", _, module), ("atom", _, function), ("integer", _, arity)),
        ):
            return stopping_function(module, function, arity if isinstance(arity, int) else None)
        case ("function", ("atom", _, module), ("atom", _, function), ("integer", _, arity)):
            return stopping_function(module, function, arity if isinstance(arity, int) else None)
    return None


def _is_atom_form(form: object) -> bool:
    return isinstance(form, tuple) and len(form) == _TRIPLE and is_atom(form[0], "atom")


def _local(function: str, arity: int) -> str | None:
    if function not in STOPPING_LOCALS:
        return None
    # The shell looks local names up in ``c`` ("q") and in the auto-imported BIFs ("halt").
    return stopping_function(Atom("erlang" if function == "halt" else "c"), Atom(function), arity)


def _quoted(form: tuple[Any, ...]) -> str | None:
    """Return the stopping call of a quoted Elixir expression; in a pipe its arity is unknown."""
    match form:
        case ((".", _, [called, Atom() as function]), _, list() as arguments):
            module = _quoted_module(called)
            if (module, function) in APPLICATION_STOPS:
                return _application(module, arguments)
            return _with_arity(stopping_function(module, function, None), len(arguments))
        case (Atom() as applied, _, [called, Atom() as function, *_]) if applied in (
            "apply",
            "spawn",
        ):
            return stopping_function(_quoted_module(called), function, None)
    return None


def _with_arity(found: str | None, arity: int) -> str | None:
    """Replace ``*`` by the arity of the call."""
    return found and found.replace("*", str(arity))


def _quoted_module(form: Any) -> Atom | None:
    match form:
        case Atom():
            return form
        case ("__aliases__", _, list() as parts) if all(isinstance(part, Atom) for part in parts):
            # Elixir.System and System are the same module.
            names = [str(part).removeprefix("Elixir.") for part in parts if part != "Elixir"]
            return Atom(".".join(["Elixir", *names]))
    return None


def stopping_in_tokens(tokens: Sequence[Any]) -> str | None:
    """Return the first stopping call in the tokens that Erlang's scanner made of what was typed."""
    signs = [_sign(token) for token in tokens]
    # Four more, so that the last tokens are looked at in the first places, too.
    padded = [None, *signs, None, None, None, None]
    for before, first, second, third, fourth, fifth in zip(
        padded, padded[1:], padded[2:], padded[3:], padded[4:], padded[5:], strict=False
    ):
        if not isinstance(first, Atom):
            continue
        # Behind a colon the name is a function of another module.
        if before != ":" and second == "(" and first in STOPPING_LOCALS:
            return _local(first, 0)
        # init stops its node at a plain message {stop, Reason}.
        if first == "init" and second == "!":
            return "init ! message"
        if isinstance(third, Atom) and second in (":", ",") and fourth in ("(", "/", ",", ")"):
            found = _named_in_tokens(first, third, fifth if fourth in ("(", ",") else None)
            if found:
                return _with_arity(found, 0 if fifth == ")" else 1)
    return None


def _named_in_tokens(module: Atom, function: Atom, argument: object) -> str | None:
    if (module, function) in APPLICATION_STOPS:
        return _application(module, [argument])
    return stopping_function(module, function, None)


def _sign(token: Any) -> Any:
    """Return an atom for an atom, text for a sign, ``None`` for all else."""
    match token:
        case ("atom", _, Atom() as atom):
            return atom
        case (Atom() as sign, _):
            return str(sign)
    return None


def _in_texts(term: Any) -> str | None:
    for each in subterms(term):
        if isinstance(each, bytes) and (found := stopping_in_text(each)):
            return found
        if isinstance(each, list) and each and all(isinstance(one, int) for one in each):
            text = "".join(chr(one) for one in each if 0 <= one < 0x110000)  # noqa: PLR2004
            if found := stopping_in_text(text.encode("utf-8", "replace")):
                return found
    return None


_NO_CODE: Final = re.compile(r"\"(?:\\.|[^\"\\])*\"|#[^{\n][^\n]*", re.DOTALL)
_TEXT_CALL: Final = re.compile(
    r"(?<![\w.:@])(?:Elixir\.|:\"?Elixir\.)?(?P<module>System|Application|:\w+|\w+)\"?"
    r"\s*(?:\.\s*|:\s*|,\s*:?)(?P<function>halt|stop|restart|reboot|q)\b"
    r"(?P<rest>\s*\(?\s*:?(?:kernel|stdlib)\b)?"
)


def stopping_in_text(text: bytes) -> str | None:
    """Return the first stopping call in a line of Elixir, or in evaluated code as text."""
    # Strings and comments may mention a call without making it.
    code = _NO_CODE.sub('""', text[:_LONGEST_TEXT].decode("utf-8", "replace"))
    for match in _TEXT_CALL.finditer(code):
        word = match["module"]
        module = Atom(f"Elixir.{word}" if word[0].isupper() else word.removeprefix(":"))
        function = Atom(match["function"])
        if (module, function) in APPLICATION_STOPS:
            if match["rest"]:
                return f"{_shown(module)}:stop/1"
        elif found := stopping_function(module, function, None):
            arguments = code[match.end() :].lstrip()
            return _with_arity(found, int(arguments[:1] == "(" and arguments[1:2] != ")"))
    return None
