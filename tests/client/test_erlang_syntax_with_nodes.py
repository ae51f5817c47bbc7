"""Random terms to real nodes of every release and back: as they are, printed, and parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from client.nodes import Author, client_of, same
from end_to_end.elixir import start_iex
from world.connected import remote_node

from erlconnect.client.elixir_syntax import print_elixir
from erlconnect.client.erlang_syntax import parse_erlang, print_erlang
from erlconnect.distribution.etf import Atom, Map, Term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.erlang import ErlangNode

RELEASES = ["23", "25", "27", "29"]
COUNT = 500


@pytest.fixture(scope="module", params=RELEASES)
def node(request: pytest.FixtureRequest) -> Iterator[ErlangNode]:
    with remote_node("app@127.0.0.1", release=request.param) as node:
        yield node


async def test_terms_come_back_as_they_were_said(node: ErlangNode) -> None:
    terms = Author(1).terms(COUNT)
    async with client_of(node) as client:
        same(terms, await client.call("lists", "append", terms, []))


async def test_a_node_reads_what_we_print(node: ErlangNode) -> None:
    terms = Author(2, written=True).terms(COUNT)
    async with client_of(node) as client:
        texts: list[Term] = [[ord(letter) for letter in f"{print_erlang(one)}."] for one in terms]
        scan = parse_erlang("[fun erl_scan:string/1]")
        assert isinstance(scan, list)
        scanned = await client.call("lists", "map", scan[0], texts)
        assert isinstance(scanned, list)
        failed = [t for t, one in zip(texts, scanned, strict=True) if one[0] != "ok"]
        assert not failed
        tokens: list[Term] = [one[1] for one in scanned]
        read = await client.call("lists", "map", parse_erlang("fun erl_parse:parse_term/1"), tokens)
        assert isinstance(read, list)
        assert [one for one in read if one[0] != "ok"] == []
        same(terms, [one[1] for one in read])


async def test_we_read_what_a_node_prints(node: ErlangNode) -> None:
    terms = Author(3, written=True).terms(COUNT)
    async with client_of(node) as client:
        formats: list[Term] = [[ord(letter) for letter in "~0tp"]] * COUNT
        wrapped: list[Term] = [[one] for one in terms]
        format_fun = parse_erlang("fun io_lib:format/2")
        printed = await client.call("lists", "zipwith", format_fun, formats, wrapped)
        to_binary = parse_erlang("fun unicode:characters_to_binary/1")
        texts = await client.call("lists", "map", to_binary, printed)
        assert isinstance(texts, list)
        same(terms, [parse_erlang(text.decode()) for text in texts])


@pytest.mark.parametrize("release", ["27", "29"])
async def test_elixir_prints_as_we_do(release: str) -> None:
    """From 1.15 on; before, charlists had another form."""
    terms = [term for term in Author(4, written=True).terms(10 * COUNT) if _alike(term)]
    assert len(terms) > COUNT
    with remote_node("app@127.0.0.1", release=release) as node:
        start_iex(node)
        async with client_of(node) as client:
            options = [
                (Atom(key), Atom("infinity")) for key in ("limit", "printable_limit", "width")
            ]
            inspect = parse_erlang("fun 'Elixir.Kernel':inspect/2")
            texts = await client.call("lists", "zipwith", inspect, terms, [options] * len(terms))
            assert isinstance(texts, list)
            for term, text in zip(terms, texts, strict=True):
                assert print_elixir(term) == text.decode()


def _alike(term: Term) -> bool:
    """Not those whose order is the node's own, and whose escapes are."""
    if isinstance(term, Map):
        return len(term.pairs) < 2 and all(map(_alike, (part for p in term.pairs for part in p)))
    if isinstance(term, tuple | list):
        return all(map(_alike, term))
    return isinstance(term, int | float | Atom | bytes) and (
        not isinstance(term, Atom | bytes) or _plain(term)
    )


def _plain(term: str | bytes) -> bool:
    text = term if isinstance(term, str) else term.decode("latin-1")
    return text.isascii() and (text.isprintable() or "\n" in text) and "\x7f" not in text
