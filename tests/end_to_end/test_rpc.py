"""Calls from a machine without Erlang to real nodes of every release, and what is left of them."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from client.nodes import Author
from end_to_end.elixir import start_iex
from end_to_end.evidence import COMMAND
from end_to_end.examined import run
from end_to_end.machine import FROM_VARIABLE, fixed, machine
from end_to_end.terminal import AtTerminal
from world.cluster import cluster
from world.connected import REMOTE_COOKIE, remote_node
from world.missing import require
from world.processes import Process
from world.waiting import wait_until

from erlconnect.client.erlang_syntax import parse_erlang, print_erlang
from erlconnect.distribution.etf import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode

APP = "app@127.0.0.1"
NO_ERLANG = {"PATH": "/nonexistent"}


@pytest.fixture(scope="module", params=["23", "25", "27", "29"])
def node(request: pytest.FixtureRequest) -> Iterator[ErlangNode]:
    with remote_node(APP, release=request.param) as node:
        yield node


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    with remote_node(APP) as node:
        yield node


@pytest.fixture(scope="module")
def here() -> Iterator[Machine]:
    with machine(epmd=False) as here:
        yield here


def sleeping(node: ErlangNode) -> int:
    """How many processes sleep for a call of ours."""
    return int(
        node.evaluate(
            "length([P || P <- processes(), {group_leader, G} <- [process_info(P, group_leader)],"
            " node(G) =/= node()])."
        )
    )


def test_a_call_to_each_release(node: ErlangNode, here: Machine) -> None:
    ended = run(here, "rpc", *fixed(node), "lists", "reverse", "[1, {a, b}]", environment=NO_ERLANG)
    assert (ended.code, ended.stdout, ended.stderr) == (0, "[{a,b},1]\n", "")
    ended = run(here, "rpc", *fixed(node), "io", "format", '"~ts~n"', '["é"]')
    assert (ended.code, ended.stdout, ended.stderr) == (0, "ok\n", "é\n")
    ended = run(here, "rpc", *fixed(node), "lists", "sum", "[1, a]")
    assert (ended.code, ended.stdout) == (70, "")
    assert "lists:sum/1 did not return at app@127.0.0.1: error badarith" in ended.stderr
    assert "in lists:sum/2 (lists.erl, line" in ended.stderr
    assert node.evaluate("{nodes(), nodes(hidden)}.") == "{[],[]}"
    assert node.process.output == ""


def test_with_elixir_on_the_node(here: Machine) -> None:
    for release in ("23", "25", "27", "29"):
        with remote_node(APP, release=release) as node:
            start_iex(node)
            words = [*fixed(node), "Enum", "map", '[{1, <<"é">>}]', "fun erlang:element/2"]
            ended = run(here, "rpc", *words)
            assert ended.code == 70
            assert "badarity" in ended.stderr
            ended = run(here, "rpc", *fixed(node), "Map", "new", '[{a, <<"é"/utf8>>}]')
            assert (ended.code, ended.stdout) == (0, '%{a: "é"}\n')


def test_programs_get_json(remote: ErlangNode, here: Machine) -> None:
    words = ["maps", "from_list", '[[["a", 1.5]]]']
    ended = run(
        here, "rpc", *fixed(remote), "lists", "append", "[[1, null]]", "--json-args", "--json"
    )
    assert ended.events == [
        {"schema": 1, "event": "result", "node": APP, "value": [1, None], "text": "[1,null]"}
    ]
    ended = run(here, "rpc", *fixed(remote), *words, "--json-args", "--json")
    assert (ended.code, ended.events[-1]["cause"]) == (70, "call-failed")
    ended = run(here, "rpc", *fixed(remote), "io", "put_chars", '"a\\n"', "--json")
    assert [one["event"] for one in ended.events] == ["output", "result"]
    assert ended.events[0]["text"] == "a\n"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["file", "read_file", '"/nowhere"'], 0, "{error,enoent}\n"),
        (["file", "read_file", '"/nowhere"', "--check"], 70, "{error,enoent}\n"),
        (["lists", "keyfind", "a", "1", "[]", "--check"], 0, "false\n"),
        (["erlang", "exit", "normal"], 70, ""),
        (["erlang", "throw", "x"], 70, ""),
        (["init", "stop"], 77, ""),
        (["erlang", "halt", "0"], 77, ""),
        (["System", "stop"], 77, ""),
        (["lists", "sum", "Foo"], 2, ""),
        (["lists", "sum", "<0.1.0>"], 2, ""),
        (["lists", "sum", "[1", "--json-args"], 2, ""),
        (["timer", "sleep", "60000", "--timeout", "soon"], 2, ""),
        (["timer", "sleep", "60000", "--timeout", "300ms"], 75, ""),
    ],
    ids=str,
)
def test_exit_codes(
    remote: ErlangNode, here: Machine, words: list[str], code: int, text: str
) -> None:
    ended = run(here, "rpc", *fixed(remote), *words)
    assert (ended.code, ended.stdout) == (code, text), ended.stderr
    assert ended.stderr.startswith("error: ") == (code != 0)
    assert sleeping(remote) == 0
    assert remote.evaluate("ok.") == "ok"


def test_what_ends_the_node_is_sent_where_it_is_allowed(here: Machine) -> None:
    with remote_node(APP) as node:
        ended = run(here, "rpc", *fixed(node), "init", "stop", "--allow-stop")
        assert ended.code in (0, 69), ended.stderr
        node.process.wait(20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_the_process_there(
    remote: ErlangNode, here: Machine, number: signal.Signals
) -> None:
    words = ["rpc", *fixed(remote), "timer", "sleep", "600000"]
    calling = Process([COMMAND, *words], environment=here.environment())
    wait_until(lambda: sleeping(remote) == 1, "the call runs")
    calling.signal(number)
    code = calling.wait(20)
    assert code == {signal.SIGINT: 130}.get(number, code)
    wait_until(lambda: sleeping(remote) == 0, "the call has ended")


def test_output_comes_while_the_call_runs(remote: ErlangNode, here: Machine) -> None:
    text = '[io:format("line ~p~n", [N]) || N <- [1]], timer:sleep(600000)'
    with AtTerminal("eval", *fixed(remote), text, environment=here.environment()) as terminal:
        terminal.wait_for("line 1")
        terminal.type("\x03")
        assert terminal.wait() == 130
    wait_until(lambda: sleeping(remote) == 0, "the call has ended")


def test_control_characters_of_a_call_command_no_terminal(
    remote: ErlangNode, here: Machine
) -> None:
    words = ["io", "put_chars", r'"\e[31mred\e[0m\e]0;title\x07\n"']
    ended = run(here, "rpc", *fixed(remote), *words)
    assert ended.stderr == "red?]0;title?\n"
    with AtTerminal("rpc", *fixed(remote), *words, environment=here.environment()) as terminal:
        assert terminal.wait() == 0
        assert "\x1b[31mred\x1b[0m" in terminal.screen
        assert "\x1b]0;" not in terminal.screen


def test_large_output_passes_through_and_a_large_answer_is_refused(
    remote: ErlangNode, here: Machine
) -> None:
    text = '[io:put_chars(binary:copy(<<"x">>, 1000000)) || _ <- lists:seq(1, 60)], ok'
    calling = subprocess.run(
        [COMMAND, "eval", *fixed(remote), text],
        env=here.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=90,
    )
    assert calling.stderr.count("x") == 60_000_000
    ended = run(here, "rpc", *fixed(remote), "binary", "copy", '<<"x">>', "1000000000")
    assert (ended.code, ended.stdout) == (70, "")
    assert "more than 64 MB" in ended.stderr


def test_all_instances_one_line_each() -> None:
    with cluster(10) as remote, machine(epmd=False) as here:
        names = [node.name for node in remote.nodes]
        words = [*remote.words(), *FROM_VARIABLE]
        ended = run(here, "rpc", *words, "erlang", "node")
        assert ended.code == 0, ended.stderr
        assert sorted(ended.stdout.splitlines()) == sorted(f"{name}: '{name}'" for name in names)
        # One of them fails: it has its line, and the exit code is its own.
        text = f"if node() =:= '{names[0]}' -> exit(here); true -> fine end"
        ended = run(here, "eval", *words, "--erlang", text, "--json")
        assert ended.code == 70
        assert [one["node"] for one in ended.of("error")] == [names[0]]
        assert sorted(one["node"] for one in ended.of("result")) == sorted(names[1:])


def test_erl_call_says_the_same(remote: ErlangNode, here: Machine) -> None:
    require("erl_call", shutil.which("erl_call") is not None)
    for words, asked in [
        (["erlang", "node"], "erlang node"),
        (["lists", "seq", "1", "300"], "lists seq [1,300]"),
        (["erlang", "system_info", "otp_release"], "erlang system_info [otp_release]"),
        (["erlang", "tuple_to_list", "{a, [b], {c, 1}}"], "erlang tuple_to_list [{a,[b],{c,1}}]"),
    ]:
        ours = run(here, "rpc", *fixed(remote), *words)
        theirs = subprocess.run(
            ["erl_call", "-c", REMOTE_COOKIE, "-name", APP, "-a", asked],
            env={**here.environment(), "ERL_EPMD_PORT": str(remote.epmd_port)},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        # erl_call puts blanks behind commas and quotes no atom.
        told = re.sub(r"[\s']", "", theirs.stdout)
        assert re.sub(r"[\s']", "", ours.stdout) == told


def test_random_terms_through_the_command(remote: ErlangNode, here: Machine) -> None:
    """Parsed by us, decoded and encoded by the node, decoded and printed by us."""
    terms = [term for term in Author(9, written=True).terms(150) if _is_short(print_erlang(term))]
    text = print_erlang(terms)
    ended = run(here, "rpc", *fixed(remote), "lists", "append", text, "[]", "--json")
    assert ended.code == 0, ended.stderr
    printed = parse_erlang(json.loads(ended.stdout)["text"])
    assert isinstance(printed, list)
    assert len(printed) == len(terms) > 80
    simple = [index for index, term in enumerate(terms) if "#{" not in print_erlang(term)]
    assert [encode(printed[one]) for one in simple] == [encode(terms[one]) for one in simple]


def _is_short(text: str) -> bool:
    return len(text) < 500 and "\0" not in text
