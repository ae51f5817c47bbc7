"""What Erlang programs do with a remote node, done through a link, each with its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.mirrored import compiled, load, mirrored, release_of
from world.connected import LOCAL_NAME, REMOTE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.connected import Connected

ALIAS = "'app@127.0.0.1'"


@pytest.fixture(scope="module")
def world() -> Iterator[Connected]:
    """Two connected nodes; no test here ends the link."""
    with mirrored() as connected:
        load("calls", connected.remote, connected.local)
        assert connected.call("net_adm:ping(Alias).") == "pong"
        yield connected
        assert connected.remote.process.output.count("Invalid distribution message") == 0


@pytest.mark.parametrize(
    "call",
    [
        "rpc:call(Alias, erlang, node, []).",
        "rpc:block_call(Alias, erlang, node, []).",
        "rpc:yield(rpc:async_call(Alias, erlang, node, [])).",
        "erpc:call(Alias, erlang, node, []).",
        "erpc:call(Alias, fun erlang:node/0).",
        "hd([Node || {ok, Node} <- erpc:multicall([Alias], erlang, node, [])]).",
        "erpc:receive_response(erpc:send_request(Alias, erlang, node, [])).",
        "node(erpc:call(Alias, erlang, self, [])).",
        "node(erpc:call(Alias, erlang, make_ref, [])).",
        "node(hd(erpc:call(Alias, erlang, ports, []))).",
        "apply(fun([N]) -> N end, [erpc:call(Alias, lists, sort, [[Alias]])]).",
    ],
)
def test_the_remote_node_has_the_alias_in_every_answer(world: Connected, call: str) -> None:
    assert world.call(call) == ALIAS


def test_a_fun_typed_into_a_shell_runs_there(world: Connected) -> None:
    """Interpreted, it carries its whole program with it, for nodes of the same release."""
    assert world.call("erpc:call(Alias, fun() -> {node(), Alias} end).") == f"{{{ALIAS},{ALIAS}}}"


def test_each_node_knows_the_other_by_the_names_that_link_up_told(world: Connected) -> None:
    assert world.call("{node(), nodes(), nodes(hidden)}.") == f"'{LOCAL_NAME}',[],[{ALIAS}]".join(
        "{}"
    )
    seen = world.remote.evaluate("{node(), nodes(), nodes(hidden)}.")
    assert seen == f"{{'{REMOTE_NAME}',[],[{world.caller}]}}"


def test_the_remote_node_calls_the_local_one(world: Connected) -> None:
    called = f"erpc:call({world.caller}, erlang, node, [])."
    assert world.remote.evaluate(called) == world.caller
    there = "erpc:call(Alias, erpc, call, [node(), erlang, node, []])."
    assert world.call(there) == f"'{LOCAL_NAME}'"


def test_an_exception_comes_back_with_its_names(world: Connected) -> None:
    error = "try erpc:call(Alias, erlang, error, [{Alias, node(), here}]) catch C:R -> {C, R} end."
    assert world.call(error).startswith(f"{{error,{{exception,{{{ALIAS},'{LOCAL_NAME}',here}},")
    late = "try erpc:call(Alias, timer, sleep, [5000], 50) catch C:R -> {C, R} end."
    assert world.call(late) == "{error,{erpc,timeout}}"


def test_processes_are_spawned_in_every_way(world: Connected) -> None:
    expected = f"{{[{{{ALIAS},{ALIAS},'{LOCAL_NAME}'}}],normal}}"
    assert world.call("calls:spawned(Alias).") == expected
    assert world.call("calls:spawn_request(Alias).") == f"{{{ALIAS},badopt}}"


def test_a_link_carries_reasons_with_pids_of_both_sides(world: Connected) -> None:
    assert world.call("calls:linked(Alias).") == f"{{true,{ALIAS}}}"
    assert world.call("calls:linked_from_there(Alias).") == "{true,true}"
    assert world.call("calls:unlinked(Alias).") == "{now,unlinked}"


def test_a_monitor_carries_reasons_with_pids_of_both_sides(world: Connected) -> None:
    expected = f"{{true,noproc,{{{{nobody_is_called_so,{ALIAS}}},noproc}}}}"
    assert world.call("calls:monitored(Alias).") == expected
    assert world.call("calls:monitored_from_there(Alias).") == "{true,true}"
    assert world.call("calls:demonitored(Alias).") == "{true,now,demonitored}"


def test_an_exit_signal_kills_there(world: Connected) -> None:
    assert world.call("calls:killed(Alias).") == "{killed,true}"


def test_a_process_alias_receives_until_it_is_taken_back(world: Connected) -> None:
    assert world.call("calls:aliased(Alias).") == f"{{{ALIAS},normal,dropped}}"


def test_funs_travel_with_nodes_and_pids_in_their_environment(world: Connected) -> None:
    expected = f"{{{{{ALIAS},{ALIAS},'{LOCAL_NAME}'}},true,true}}"
    assert world.call("calls:functions(Alias).") == expected


def test_a_server_is_called(world: Connected) -> None:
    assert world.call("calls:server(Alias).") == f"{{true,ok,{ALIAS},true}}"
    children = "{_, Pid, _, _} <- supervisor:which_children({kernel_sup, Alias}), is_pid(Pid)"
    assert world.call(f"lists:usort([node(Pid) || {children}]).") == f"[{ALIAS}]"


def test_a_server_is_inspected(world: Connected) -> None:
    """Not asked of every pair of releases: OTP 26 has other answers here than older ones."""
    assert world.call("calls:inspected(Alias).") == f"{{true,{ALIAS}}}"


def test_a_remote_process_is_traced(world: Connected) -> None:
    assert world.call("calls:traced(Alias).") == "true"


def test_a_trace_token_goes_with_a_message_and_comes_back(world: Connected) -> None:
    assert world.call("calls:sequence_traced(Alias).") == f"{{true,true,{ALIAS}}}"


def test_text_is_printed_where_the_group_leader_is(world: Connected) -> None:
    assert world.call('calls:group_leader(Alias, "printed").') == f"{{{ALIAS},ok,ok}}"
    # The caller's name was an atom on its way; printed, it is text, which is never rewritten.
    world.remote.process.wait_for_line(f"printed there from {world.caller[1:-1]}")
    world.local.process.wait_for_line("printed here from app@127.0.0.1")


def test_a_file_is_read_through_a_remote_pid(world: Connected) -> None:
    path = 'Path = rpc:call(Alias, os, getenv, ["HOME"]) ++ "/lines",'
    lines = '<<"first\\napp@127.0.0.1\\n">>'
    opened = f"""
        ok = rpc:call(Alias, file, write_file, [Path, {lines}]),
        {{ok, File}} = rpc:block_call(Alias, file, open, [Path, [read]]),
    """
    read = "{node(File), io:get_line(File, ''), io:get_line(File, ''), io:get_line(File, '')}."
    expected = f'{{{ALIAS},"first\\n","app@127.0.0.1\\n",eof}}'
    assert world.call(path + opened + read) == expected


def test_code_is_loaded_and_runs(world: Connected) -> None:
    code = compiled("newcomer", min([world.local, world.remote], key=release_of))
    loaded = f"""
        Code = base64:decode({code}),
        Loaded = rpc:call(Alias, code, load_binary, [newcomer, "newcomer.erl", Code]),
        {{Loaded, rpc:call(Alias, newcomer, where, [])}}.
    """
    # A name inside of code is bytes: there it means what it says, and here the other one.
    where = f"{{{ALIAS},'{REMOTE_NAME}',<<\"app@127.0.0.1\">>}}"
    assert world.call(loaded) == f"{{{{module,newcomer}},{where}}}"
