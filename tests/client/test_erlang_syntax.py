"""Terms in Erlang's syntax, in Elixir's and as JSON, by examples; nodes judge the rest."""

from __future__ import annotations

from typing import Any

import pytest

from erlconnect.client.elixir_syntax import print_elixir
from erlconnect.client.erlang_syntax import ErlangSyntaxError, parse_erlang, print_erlang
from erlconnect.client.json_terms import json_value, parse_json
from erlconnect.distribution.etf import DEEPEST, Atom, Bitstring, Map, Pid, Term, decode

HERE = Pid(node="app@h", id=85, serial=2, creation=1)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("ok.", Atom("ok")),
        (" 'a b' % a remark\n", Atom("a b")),
        ("[16#ff, 2#101, 1_000, $a, $\\n, -1, +2]", [255, 5, 1000, 97, 10, -1, 2]),
        ("{1.5, -2.0e-3}", (1.5, -0.002)),
        (r'"a\x41\x{1F600}\101\^A\"" "b"', [97, 65, 0x1F600, 65, 1, 34, 98]),
        ('<<1, "ab", 513:16, 5:3>>', Bitstring(b"\x01ab\x02\x01\xa0", 3)),
        ('<<"é"/utf8, 1:16/little, 1.0/float>>', b"\xc3\xa9\x01\x00\x3f\xf0" + bytes(6)),
        ('~"é"', "é".encode()),
        ("#{a => 1, [] => #{}, a => 2}", Map(((Atom("a"), 2), ([], Map())))),
        ("[1 | [2]]", [1, 2]),
    ],
)
def test_what_can_be_written(text: str, term: Term) -> None:
    assert parse_erlang(text) == term


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it ends too early"),
        ("[1", "it ends too early"),
        ("1 2", "'2' at 3 is out of place"),
        ("Shop.Repo", "the atom is 'Shop', Elixir's module 'Elixir.Shop'"),
        ("_", "'_' at 1 is out of place"),
        ("{<0.85.0>}", "<0.85.0> at 2 cannot be given: pids"),
        ("#Ref<0.1.2.3>", "cannot be given"),
        ("#{a := 1}", "'=>' is missing at 5"),
        ("'a", '"\'" at 1 begins nothing'),
        ("40#1", "is no number"),
        ("9" * 5000, "too many digits"),
        ('"\\x{110000}"', "is no character"),
        ("<<a>>", "its value does not fit its type"),
        ("<<1:2/bits>>", "the type bits is not understood here"),
        ("[" * 200, "nested too deeply"),
    ],
)
def test_what_cannot(text: str, said: str) -> None:
    with pytest.raises(ErlangSyntaxError) as raised:
        parse_erlang(text)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("term", "erlang", "elixir", "json"),
    [
        (Atom("nil"), "nil", "nil", None),
        (Atom("Elixir.Shop.Repo"), "'Elixir.Shop.Repo'", "Shop.Repo", "Elixir.Shop.Repo"),
        (HERE, "<0.85.2>", "#PID<0.85.2>", "<0.85.2>"),
        (b"\xff", "<<255>>", "<<255>>", "<<255>>"),
        (b"a\x1b", '<<"a\\e">>', '"a\\e"', "a\x1b"),
        ([*b"ok"], '"ok"', '~c"ok"', [111, 107]),
        (
            Map(((b"a", 1), (Atom("a"), 2))),
            '#{<<"a">> => 1,a => 2}',
            '%{"a" => 1, :a => 2}',
            {'<<"a">>': 1, "a": 2},
        ),
        (
            Map(((Atom("__struct__"), Atom("Elixir.User")), (Atom("id"), 7))),
            "#{'__struct__' => 'Elixir.User',id => 7}",
            "%User{id: 7}",
            {"__struct__": "Elixir.User", "id": 7},
        ),
    ],
)
def test_what_is_printed(term: Term, erlang: str, elixir: str, json: Any) -> None:
    node = "app@h"
    assert print_erlang(term, node) == erlang
    assert print_elixir(term, node) == elixir
    assert json_value(term, node) == json


def test_a_long_number_is_printed_and_read() -> None:
    text = print_erlang(-(10**5000))
    assert text.startswith("-16#")
    assert parse_erlang(text) == -(10**5000)
    assert json_value(10**5000) == print_erlang(10**5000)


def test_no_nesting_that_is_decoded_is_too_deep_to_be_printed() -> None:
    depth = DEEPEST - 1
    term, _ = decode(b"h\x01" * depth + b"j")
    assert print_erlang(term) == "{" * depth + "[]" + "}" * depth
    assert len(print_elixir(term)) == 2 * depth + 2
    assert "{" in str(json_value(term))


def test_json_as_terms() -> None:
    term = parse_json('{"a": [null, true, 1, 1.5, "é"]}')
    assert print_erlang(term) == '#{<<"a">> => [null,true,1,1.5,<<"é"/utf8>>]}'
    for text in ("", "NaN", "[" * 100_000):
        with pytest.raises(ValueError, match=r"."):
            parse_json(text)
