"""The call that a message asks for (spawn request or ``rex``), and the terms inside a term."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from erlconnect.distribution.bounded_terms import UNREAD, Fun, Map
from erlconnect.distribution.etf import ImproperList

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erlconnect.guard.message import Message, Span

_ERPC: Final = ("erpc", "execute_call")


class Call(NamedTuple):
    """A call; ``arguments`` is ``UNREAD`` if they are missing, ``span`` their place."""

    module: Any
    function: Any
    arguments: Any
    span: Span | None


def spawned(message: Message) -> Call | None:
    """Return the call that a spawn request asks for, the one inside of ``erpc``'s own."""
    match message.control:
        case (_, _, _, _, (module, function, _), *_):
            pass
        case _:
            return None
    payload = message.payload
    if (module, function) != _ERPC:
        return Call(module, function, payload, (message.payload_start, message.end))
    # erpc:execute_call(Ref, Module, Function, Args) runs another call, which is the one to judge.
    arguments = elements(payload)
    if len(arguments) < 4:  # noqa: PLR2004 - a reference, and the call
        return Call(UNREAD, UNREAD, UNREAD, None)
    spans = message.elements()
    span = spans[3] if len(spans) > 3 else None  # noqa: PLR2004
    return Call(arguments[1], arguments[2], arguments[3], span)


def named_call(terms: tuple[Any, ...]) -> Call | None:
    """Return the call of a module, a function and a list of arguments that stand in a row."""
    match terms:
        case (module, function, arguments, *_):
            return Call(module, function, arguments, None)
    return None


def elements(term: Any) -> list[Any]:
    """Return the elements of a tuple or list, with the tail of one that is improper."""
    if isinstance(term, ImproperList):
        return [*term.elements, term.tail]
    return list(term) if isinstance(term, list | tuple) else []


def head_of(term: Any) -> Any:
    """Return the first element of a tuple."""
    return term[0] if isinstance(term, tuple) and term else None


def subterms(term: Any) -> Iterator[Any]:
    """Yield a term and all terms in it."""
    # No recursion: a peer chooses how deeply its terms are nested.
    waiting = [term]
    while waiting:
        each = waiting.pop()
        yield each
        match each:
            case tuple() | list():
                waiting.extend(each)
            case ImproperList(inner, tail):
                waiting.extend((*inner, tail))
            case Map(pairs):
                waiting.extend(pairs)
            case Fun(_, environment):
                waiting.extend(environment)
