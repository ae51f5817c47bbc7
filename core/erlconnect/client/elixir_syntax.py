"""Terms as Elixir's ``inspect`` prints them: atoms, aliases, keywords, structs, charlists.

Structs that have a form of their own there, as dates have, are shown with their fields here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from erlconnect.client.erlang_syntax import (
    print_float,
    print_identifier,
    print_integer,
    print_pieces,
    separated,
    sorted_pairs,
    text_of,
)
from erlconnect.distribution.etf import Atom, Bitstring, Export, ImproperList, Map, Pid, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.distribution.etf import Term

_MODULE: Final = re.compile(r"Elixir((?:\.[A-Z]\w*)+)", re.ASCII)
_PLAIN_ATOM: Final = re.compile(r"[^\W\dA-Z][\w@]*[?!]?|[A-Z][\w@]*[?!]?")
_PLAIN_KEY: Final = re.compile(r"[^\W\d][\w@]*[?!]?")
_WORDS: Final = ("nil", "true", "false")
_OPERATORS: Final = frozenset(
    [
        *(
            "+",
            "-",
            "*",
            "/",
            "++",
            "--",
            "**",
            "==",
            "!=",
            "===",
            "!==",
            "<",
            ">",
            "<=",
            ">=",
            "&&",
        ),
        *(
            "||",
            "!",
            "|>",
            "<>",
            "=~",
            "..",
            "...",
            "&",
            "|",
            "^",
            "@",
            "=",
            "%",
            "{}",
            "%{}",
            "<<>>",
        ),
    ]
)
_ESCAPES: Final = {
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\b": "\\b",
    "\f": "\\f",
    "\v": "\\v",
    "\x1b": "\\e",
    "\a": "\\a",
    "\0": "\\0",
    "\x7f": "\\d",
    "#{": "\\#{",
}
_ASCII: Final = range(32, 127)
_WHITE: Final = (*range(7, 14), 27)


def print_elixir(term: Term, node: str = "") -> str:
    """Return ``term`` on one line in Elixir's syntax; pids of ``node`` as that node prints them."""
    return print_pieces(term, lambda one: _elixir(one, node))


def _elixir(term: Term, node: str) -> Sequence[Term | str]:
    match term:
        case list():
            return _list(term)
        case tuple():
            return ["{", *separated(term, ", "), "}"]
        case Map():
            return _map(term)
        case ImproperList():
            return ["[", *separated(term.elements, ", "), " | ", term.tail, "]"]
        case Record():
            return [f"#{term.module}.{term.name}{{", *_pairs(_named(term.fields)), "}"]
    return [_leaf(term, node)]


def _named(fields: Sequence[tuple[str, Term]]) -> list[tuple[Term, Term]]:
    return [(Atom(name), value) for name, value in fields]


def _list(term: list[Term]) -> Sequence[Term | str]:
    if term and all(type(one) is int and (one in _ASCII or one in _WHITE) for one in term):
        return ["~c" + _quoted("".join(map(chr, term)))]  # type: ignore[arg-type]
    if term and all(_is_keyword(one) for one in term):
        return ["[", *_pairs(term), "]"]  # type: ignore[arg-type]
    return ["[", *separated(term, ", "), "]"]


def _is_keyword(term: Term) -> bool:
    match term:
        case tuple((Atom() as key, _)):
            # An alias is no keyword: ``inspect`` prints [{Foo, 1}] and not [Foo: 1].
            return not _MODULE.fullmatch(key)
    return False


def _map(term: Map) -> Sequence[Term | str]:
    name = term.get(Atom("__struct__"))
    pairs = sorted_pairs(term)
    beginning = "%{"
    # A struct is a map whose ``__struct__`` is its module.
    if isinstance(name, Atom) and _MODULE.fullmatch(name):
        beginning = f"%{print_atom(name)}{{"
        pairs = [pair for pair in pairs if pair[0] != "__struct__"]
    if all(_is_keyword(pair) for pair in pairs):
        return [beginning, *_pairs(pairs), "}"]
    pieces: list[Term | str] = []
    for key, value in pairs:
        pieces += [", ", key, " => ", value]
    return [beginning, *pieces[1:], "}"]


def _pairs(pairs: Sequence[tuple[Term, Term]]) -> list[Term | str]:
    pieces: list[Term | str] = []
    for key, value in pairs:
        text = str(key) if _PLAIN_KEY.fullmatch(str(key)) else _quoted(str(key))
        pieces += [", ", f"{text}: ", value]
    return pieces[1:]


def _leaf(term: Term, node: str) -> str:  # noqa: PLR0911 - one a kind
    match term:
        case Atom():
            return print_atom(term)
        case int():
            return print_integer(term, "0x")
        case float():
            return print_float(term)
        case bytes():
            return _binary(term)
        case Bitstring():
            *whole, last = term.data
            bits = f"{last >> (8 - term.last_bits)}::size({term.last_bits})"
            return f"<<{', '.join([*map(str, whole), bits])}>>"
        case Pid():
            place = "0" if term.node == node else term.node
            return f"#PID<{place}.{term.id}.{term.serial}>"
        case Export():
            return f"&{print_atom(Atom(term.module))}.{term.function}/{term.arity}"
    name = print_identifier(term, node)
    return "#" + name.replace("Ref<", "Reference<", 1).replace("Fun<", "Function<", 1)


def print_atom(atom: Atom) -> str:
    """Return an atom, or the alias that it is."""
    if atom in _WORDS:
        return str(atom)
    if found := _MODULE.fullmatch(atom):
        # The alias Foo is the atom 'Elixir.Foo'.
        return found[1][1:]
    if _PLAIN_ATOM.fullmatch(atom) or atom in _OPERATORS:
        return f":{atom}"
    return f":{_quoted(atom)}"


def _binary(data: bytes) -> str:
    text = text_of(data) if data else ""
    return f"<<{', '.join(map(str, data))}>>" if text is None else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    for character, escape in _ESCAPES.items():
        escaped = escaped.replace(character, escape)
    shown = (one if one.isprintable() else f"\\x{{{ord(one):X}}}" for one in escaped)
    return f'"{"".join(shown)}"'
