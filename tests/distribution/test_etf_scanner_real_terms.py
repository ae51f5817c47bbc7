"""Terms as real nodes of four releases write them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from distribution import streams
from distribution.conftest import NAME
from distribution.reference import Reader
from distribution.streams import relayed

from erlconnect.distribution.etf_scanner import EtfScanner, ScanResult
from erlconnect.distribution.name_mapping import CompiledMapping, inverse, permutation
from erlconnect.distribution.rewriter import Rewriter

if TYPE_CHECKING:
    from world.erlang import ErlangNode

# Interpreted, a walk through a long list takes minutes; so these are modules.
LOAD = """
Parse = fun(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, Form} = erl_parse:parse_form(Tokens),
    Form
end,
{ok, Module, Code} = compile:forms(lists:map(Parse, %s)),
{module, Module} = code:load_binary(Module, "tests", Code),
Module.
"""
RENAMES = """[
    "-module(renames). ",
    "-export([all/3]). ",
    "all(Old, Old, New) -> New;"
    "all([Head | Tail], Old, New) -> [all(Head, Old, New) | all(Tail, Old, New)];"
    "all(Tuple, Old, New) when is_tuple(Tuple) ->"
    "    list_to_tuple(all(tuple_to_list(Tuple), Old, New));"
    "all(Map, Old, New) when is_map(Map) -> maps:from_list(all(maps:to_list(Map), Old, New));"
    "all(Other, _, _) -> Other. "
]"""
NATIVE_RECORD = """[
    "-module(native). ", "-export([value/0]). ", "-record #inner{}. ",
    "-record #outer{node, inner, list = []}. ",
    "value() -> #outer{node = node(), inner = #inner{}}. "
]"""
# Terms in which names are plain atoms, so that the node itself can say what renaming makes of them.
PLAIN = [
    "node()",
    "[node(), {node(), node()}, [], {}, node() | node()]",
    "#{node() => 1, 2 => node(), #{} => <<>>}",
    "maps:from_list([{N, {node(), N}} || N <- lists:seq(1, 100)])",
    "list_to_tuple(lists:duplicate(300, node()))",
    "[0, 255, 256, -1, 1 bsl 31, -(1 bsl 31) - 1, 1 bsl 64, 1 bsl 3000, -(1 bsl 2100), node()]",
    "[1.5, -0.0, 1.0e300, node()]",
    "[<<>>, <<1:3>>, <<0:13>>, <<1:1, (term_to_binary(node()))/binary>>, node()]",
    "[term_to_binary(node()), atom_to_binary(node(), utf8), atom_to_list(node()), node()]",
    '{"a string", lists:seq(0, 300), lists:duplicate(70000, $a), node()}',
    "[list_to_atom(lists:duplicate(255, $x)), list_to_atom(lists:duplicate(255, 1234)), node()]",
    '[list_to_atom(atom_to_list(node()) ++ [Extra]) || Extra <- "a@~"] ++ [node()]',
    "[fun lists:map/2, fun erlang:node/0, node()]",
    "lists:foldl(fun(_, Inner) -> [Inner] end, node(), lists:seq(1, 20000))",
    "lists:foldl(fun(N, Inner) -> {N, Inner, node()} end, [], lists:seq(1, 1000))",
]
IDENTIFIERS = [
    "self()",
    "make_ref()",
    "hd(erlang:ports())",
    "fun() -> node() end",
    "begin Y = {node(), self(), [node()]}, fun(X) -> fun() -> {X, Y, make_ref()} end end end",
    "{self(), [make_ref(), fun(X) -> {X, self()} end], node()}",
]
TABLES = [
    permutation([(NAME, other)])
    for other in ("a@b", "seen@10.99.0.1", "real@pod-0.real.default.svc.cluster.local")
]


def encoded(node: ErlangNode, expression: str, options: str = "[]") -> bytes:
    printed = node.evaluate(f"base64:encode_to_string(term_to_binary({expression}, {options})).")
    return base64.b64decode(printed.strip('"'))


def rewritten(names: dict[str, str], term: bytes) -> bytes:
    """The term after it went through as a message without a distribution header."""
    message = streams.pass_through(b"h\1a\1", term[1:])
    (body,) = streams.bodies(relayed(Rewriter(CompiledMapping(names)), message))
    return body.removeprefix(b"p\x83h\1a\1")


def decoded(term: bytes) -> str:
    return f'binary_to_term(base64:decode("{base64.b64encode(term).decode()}"))'


def expressions(node: ErlangNode) -> list[str]:
    native = node.evaluate('erlang:system_info(otp_release) >= "29".') == "true"
    if native:
        assert node.evaluate(LOAD % NATIVE_RECORD) == "native"
    return [*PLAIN, *IDENTIFIERS, *(["native:value()"] if native else [])]


def test_names_are_found_where_the_reference_finds_them(any_node: ErlangNode) -> None:
    table = CompiledMapping(TABLES[0])
    for expression in expressions(any_node):
        for options in ("[]", "[{minor_version, 0}]", "[{minor_version, 1}]"):
            term = encoded(any_node, expression, options)
            walk = EtfScanner(table.token_run, table.replacements)
            found = ScanResult()
            walk.advance(term, 0, len(term), found)

            reader = Reader(term, 1).term()
            assert reader.position == len(term)
            assert walk.between_terms
            assert not walk.unparseable
            assert found.names == [at for at, text in reader.atoms if text == NAME.encode()]
            assert found.names
            assert all(fun.exact for fun in reader.funs)


@pytest.mark.parametrize("names", TABLES)
def test_a_node_reads_the_renamed_term(any_node: ErlangNode, names: dict[str, str]) -> None:
    assert any_node.evaluate(LOAD % RENAMES) == "renames"
    for expression in PLAIN:
        term = rewritten(names, encoded(any_node, expression))

        expected = f"renames:all({expression}, '{NAME}', '{names[NAME]}')"
        assert any_node.evaluate(f"{expected} =:= {decoded(term)}.") == "true"


@pytest.mark.parametrize("names", TABLES)
def test_identifiers_move_to_the_other_node(any_node: ErlangNode, names: dict[str, str]) -> None:
    for expression in ("self()", "make_ref()", "hd(erlang:ports())"):
        term = rewritten(names, encoded(any_node, expression))

        assert any_node.evaluate(f"node({decoded(term)}) =:= '{names[NAME]}'.") == "true"


@pytest.mark.parametrize("names", TABLES)
def test_there_and_back_is_the_same_term(any_node: ErlangNode, names: dict[str, str]) -> None:
    for expression in expressions(any_node):
        term = encoded(any_node, expression)
        there = rewritten(names, term)

        assert NAME.encode() not in b"".join(
            text for _, text in Reader(there, 1).term().atoms if text == NAME.encode()
        )
        assert rewritten(inverse(names), there) == term


def test_a_lower_bound_will_do_as_the_size_of_a_fun(any_node: ErlangNode) -> None:
    """OTP 23 wants Size bytes to be there; later ones do not look at it."""
    term = encoded(any_node, "begin Inside = {node(), 7}, fun() -> Inside end end")
    size = int.from_bytes(term[2:6], "big")
    assert size == len(term) - 2

    for lower in (4, 30, size - 1, size):
        lowered = term[:2] + lower.to_bytes(4, "big") + term[6:]
        assert any_node.evaluate(f"({decoded(lowered)})().") == f"{{'{NAME}',7}}"
    raised = decoded(term[:2] + (size + 1).to_bytes(4, "big") + term[6:])
    accepted = any_node.evaluate(f"try ({raised})(), true catch error:badarg -> false end.")
    release = any_node.evaluate("erlang:system_info(otp_release).")
    assert (accepted, release) in [("false", '"23"')] + [("true", f'"{n}"') for n in (25, 27, 29)]
