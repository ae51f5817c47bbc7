"""Expressions in the language of the node, from a machine that has none of it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.elixir import start_iex
from end_to_end.evidence import COMMAND
from end_to_end.examined import run
from end_to_end.machine import fixed, machine
from world.connected import remote_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode

APP = "app@127.0.0.1"
NO_ERLANG = {"PATH": "/nonexistent"}
RELEASES = ["23", "25", "27", "29"]


@pytest.fixture(scope="module", params=RELEASES)
def erlang(request: pytest.FixtureRequest) -> Iterator[ErlangNode]:
    """A node without Elixir."""
    with remote_node(APP, release=request.param) as node:
        yield node


@pytest.fixture(scope="module", params=RELEASES)
def elixir(request: pytest.FixtureRequest) -> Iterator[ErlangNode]:
    with remote_node(APP, release=request.param) as node:
        start_iex(node)
        yield node


@pytest.fixture(scope="module")
def here() -> Iterator[Machine]:
    with machine(epmd=False) as here:
        yield here


def test_erlang_where_the_node_has_nothing_else(erlang: ErlangNode, here: Machine) -> None:
    for text, expected in [
        ("lists:sum([1, 2])", "3\n"),
        ('X = "é", io:format("~ts~n", [X]), {X, #{a => 1}}.', '{"é",#{a => 1}}\n'),
        ("[P || P <- [self()], is_pid(P), node(P) =:= node()] =/= []", "true\n"),
    ]:
        ended = run(here, "eval", *fixed(erlang), text, environment=NO_ERLANG)
        assert (ended.code, ended.stdout) == (0, expected), ended.stderr
    assert erlang.process.output == ""


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("foo bar", 70, "the expression is no Erlang: syntax error before: bar in line 1"),
        ("'unended", 70, "the expression is no Erlang: unterminated"),
        ("1 + a", 70, "error badarith"),
        ("exit(done)", 70, "exit done"),
        ("init:stop()", 77, "init:stop/0 would end or restart the remote node"),
        ("X = 1, [erlang:halt(X) || X > 1]", 77, "erlang:halt/1"),
        ("application:stop(kernel)", 77, "application:stop/1"),
        ('io:get_line("name? ")', 0, ""),
    ],
)
def test_what_goes_wrong_in_erlang(
    erlang: ErlangNode, here: Machine, text: str, code: int, said: str
) -> None:
    ended = run(here, "eval", *fixed(erlang), text)
    assert ended.code == code
    assert said in ended.stderr
    assert erlang.evaluate("ok.") == "ok"


def test_elixir_where_the_node_has_it(elixir: ErlangNode, here: Machine) -> None:
    for text, expected in [
        ('IO.puts("héllo"); %{a: 1, b: [Foo, nil, "x"]}', '%{a: 1, b: [Foo, nil, "x"]}\n'),
        ("x = for i <- 1..3, do: i * i\n{:ok, x}", "{:ok, [1, 4, 9]}\n"),
        ('IO.gets("name? ")', ":eof\n"),
    ]:
        ended = run(here, "eval", *fixed(elixir), text, environment=NO_ERLANG)
        assert (ended.code, ended.stdout) == (0, expected), ended.stderr
    ended = run(here, "eval", *fixed(elixir), "--erlang", "{ok, 'Elixir.Foo'}")
    assert (ended.code, ended.stdout) == (0, "{ok,'Elixir.Foo'}\n")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ('raise "boom"', 70, "** (RuntimeError) boom"),
        ("1 +", 70, "TokenMissingError"),
        ("System.halt(1)", 77, "System:halt/1 would end"),
        (":init.stop", 77, "init:stop/0"),
        ("Application.stop(:kernel)", 77, "Application:stop/1"),
    ],
)
def test_what_goes_wrong_in_elixir(
    elixir: ErlangNode, here: Machine, text: str, code: int, said: str
) -> None:
    ended = run(here, "eval", *fixed(elixir), text)
    assert ended.code == code
    assert said in ended.stderr
    assert elixir.evaluate("ok.") == "ok"


def test_an_expression_from_stdin(erlang: ErlangNode, here: Machine) -> None:
    ended = subprocess.run(
        [COMMAND, "eval", *fixed(erlang), "-"],
        input="A = 1,\nB = 2,\nA + B.\n",
        env={**here.environment(), **NO_ERLANG},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout == "3\n"


def test_a_shell_started_there_ends_and_the_node_stays(elixir: ErlangNode, here: Machine) -> None:
    """Its input has ended: that of IEx ends the shell, that of Erlang's is an error."""
    run(here, "rpc", *fixed(elixir), "IEx.Server", "run", "[]", "--timeout", "5s")
    assert elixir.evaluate("ok.") == "ok"
