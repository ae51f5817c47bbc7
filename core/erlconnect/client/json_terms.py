"""Terms as JSON and JSON as terms, for programs that know nothing of Erlang.

As JSON a term loses its kind: atoms and binaries become texts, tuples and lists arrays. What has
no form there (pids, funs, binaries that are no UTF-8) becomes the text of Erlang's syntax.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from erlconnect.client.erlang_syntax import print_erlang
from erlconnect.distribution.etf import Atom, ImproperList, Map, Record

if TYPE_CHECKING:
    from erlconnect.distribution.etf import Term

_CONSTANTS: Final = {"true": True, "false": False, "null": None, "nil": None, "undefined": None}
# CPython converts at most 4,300 decimal digits, which is about 14,284 bits.
_MOST_BITS: Final = 14_000
_DEEPEST: Final = 100


def parse_json(text: str) -> Term:
    """Return JSON as a term: texts as binaries, ``true``, ``false`` and ``null`` as atoms.

    Raises ``ValueError`` where it is no JSON.
    """
    try:
        return _term(json.loads(text, parse_constant=_no_number))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _term(value: Any) -> Term:
    match value:
        case None | bool():
            return Atom(json.dumps(value))
        case str():
            return value.encode()
        case list():
            return [_term(one) for one in value]
        case dict():
            return Map(tuple((key.encode(), _term(one)) for key, one in value.items()))
    return value  # type: ignore[no-any-return]  # an int or a float


def json_value(term: Term, node: str = "", depth: int = 0) -> Any:  # noqa: C901, PLR0911 - one a kind
    """Return ``term`` as what ``json.dumps`` takes; what is nested too deeply becomes a text."""
    if depth == _DEEPEST:
        return print_erlang(term, node)
    match term:
        case Atom():
            # ``nil`` and ``undefined`` are Elixir's and Erlang's words for JSON's null.
            return _CONSTANTS.get(term, str(term))
        case int() if term.bit_length() > _MOST_BITS:
            return print_erlang(term)
        case int() | float():
            return term
        case bytes():
            try:
                return term.decode()
            except UnicodeDecodeError:
                return print_erlang(term)
        case list() | tuple():
            return [json_value(one, node, depth + 1) for one in term]
        case ImproperList():
            return [json_value(one, node, depth + 1) for one in (*term.elements, term.tail)]
        case Map():
            return _object(term, node, depth)
        case Record():
            return {name: json_value(one, node, depth + 1) for name, one in term.fields}
    return print_erlang(term, node)


def _object(term: Map, node: str, depth: int) -> dict[str, Any]:
    names = [_name(key, node) for key, _ in term.pairs]
    if len(set(names)) < len(names):
        # Two keys would be one text: 'a' and <<"a">>.
        names = [print_erlang(key, node) for key, _ in term.pairs]
    values = [json_value(value, node, depth + 1) for _, value in term.pairs]
    return dict(zip(names, values, strict=True))


def _name(key: Term, node: str) -> str:
    match key:
        case Atom():
            return str(key)
        case bytes():
            value = json_value(key, node)
            return str(value)
    return print_erlang(key, node)
