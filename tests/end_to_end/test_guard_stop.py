"""What would stop the remote node is refused and answered; ``--allow-stop`` lets it through."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from end_to_end.flag_clearing import ATOM_CACHE, FRAGMENTS, FlagClearing
from world.connected import LOCAL_COOKIE, connected
from world.erlang import erl_call
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.connected import Connected

ERPC = "{error,{erpc,refused_by_erlconnect}}"
RPC = "{badrpc,refused_by_erlconnect}"
# Since OTP 23 rpc is made of erpc, and shows its errors so.
RPC_BY_ERPC = "{badrpc,{'EXIT',refused_by_erlconnect}}"
SPAWN = "{error,refused_by_erlconnect}"
CAUGHT = "try {} catch C:R -> {{C, R}} end."
CALLS = [
    (CAUGHT.format("erpc:call(Alias, init, stop, [])"), ERPC, "init:stop/0"),
    (CAUGHT.format("erpc:call(Alias, init, stop, [1])"), ERPC, "init:stop/1"),
    (CAUGHT.format("erpc:call(Alias, erlang, halt, [])"), ERPC, "erlang:halt/0"),
    (CAUGHT.format("erpc:call(Alias, init, restart, [])"), ERPC, "init:restart/0"),
    (CAUGHT.format("erpc:call(Alias, fun init:stop/0)"), ERPC, "init:stop/0"),
    (CAUGHT.format("erpc:call(Alias, fun() -> init:stop() end)"), ERPC, "init:stop/0"),
    (CAUGHT.format("erpc:call(Alias, erlang, apply, [init, stop, []])"), ERPC, "init:stop/0"),
    (
        CAUGHT.format("erpc:call(Alias, timer, apply_after, [0, init, stop, []])"),
        ERPC,
        "init:stop/0",
    ),
    (
        CAUGHT.format("erpc:call(Alias, erpc, call, [node(), init, stop, []])"),
        ERPC,
        "init:stop/0",
    ),
    (
        CAUGHT.format("erpc:call(Alias, application, stop, [kernel])"),
        ERPC,
        "application:stop/1",
    ),
    (
        "erpc:multicall([Alias], init, stop, []).",
        "[{error,{erpc,refused_by_erlconnect}}]",
        "init:stop/0",
    ),
    ("rpc:call(Alias, init, stop, []).", RPC_BY_ERPC, "init:stop/0"),
    ("rpc:call(Alias, c, q, []).", RPC_BY_ERPC, "c:q/0"),
    ("rpc:block_call(Alias, init, stop, []).", RPC, "init:stop/0"),
    (
        "gen_server:call({rex, Alias}, {call, init, stop, [], group_leader()}).",
        RPC,
        "init:stop/0",
    ),
    (
        "gen_server:call({rex, Alias}, {block_call, init, stop, [], group_leader()}).",
        RPC,
        "init:stop/0",
    ),
    (
        "{rex, Alias} ! {self(), {call, init, stop, [], user}}, receive M -> M after 900 -> 0 end.",
        "{rex,{badrpc,refused_by_erlconnect}}",
        "init:stop/0",
    ),
    ("rpc:cast(Alias, init, stop, []).", "true", "init:stop/0"),
    (CAUGHT.format("spawn(Alias, init, stop, [])"), SPAWN, "init:stop/0"),
    (CAUGHT.format("spawn_link(Alias, init, stop, [])"), SPAWN, "init:stop/0"),
    (CAUGHT.format("spawn_monitor(Alias, init, stop, [])"), SPAWN, "init:stop/0"),
    ("element(1, {init, Alias} ! {stop, normal}).", "stop", "init:stop/1"),
    (
        "gen_server:call({application_controller, Alias}, {stop_application, kernel}).",
        "{error,refused_by_erlconnect}",
        "application:stop/1",
    ),
]


@contextmanager
def clearing(flags: int, *options: str) -> Iterator[Connected]:
    with connected(*options, relay=lambda port: FlagClearing(flags, port)) as world:
        yield world


@pytest.fixture(
    scope="module",
    params=[0, ATOM_CACHE, ATOM_CACHE | FRAGMENTS],
    ids=["cached-atoms", "inline-atoms", "no-headers"],
)
def world(request: pytest.FixtureRequest) -> Iterator[Connected]:
    """Two connected nodes, whose frames have each of the forms that there are."""
    with clearing(request.param) as made:
        assert made.call("net_adm:ping(Alias).") == "pong"
        yield made


@pytest.mark.parametrize(("call", "answer", "what"), CALLS)
def test_a_call_that_stops_the_node_is_refused_and_answered(
    world: Connected, call: str, answer: str, what: str
) -> None:
    refused = len(refusals(world))
    assert world.call(call) == answer
    wait_until(lambda: len(refusals(world)) > refused, "the refusal is told")
    event = refusals(world)[-1]
    assert (event["rule"], event["direction"], event["what"]) == ("stop", "outward", what)
    assert event["node"] == world.remote.name
    assert "--allow-stop" in event["remedy"]
    assert world.remote.process.returncode is None
    assert world.call("erpc:call(Alias, erlang, node, []) =:= Alias.") == "true"


def test_refusals_leave_nothing_behind_there(world: Connected) -> None:
    def seen() -> str:
        return world.remote.evaluate("length(processes()).")

    before = seen()
    for call, _, _ in CALLS:
        world.call(call)
    wait_until(lambda: seen() == before, "as many processes as before")


def test_a_message_of_many_fragments_is_refused_whole(world: Connected) -> None:
    """What comes behind it, and what came between its fragments, arrives."""
    large = "binary:copy(<<7>>, 1000000)"
    call = f"erpc:call(Alias, erlang, apply, [init, stop, [], {large}])"
    nested = f"erpc:call(Alias, lists, foreach, [fun init:stop/1, [{large}, {large}]])"
    for each in (call, nested):
        assert world.call(CAUGHT.format(each)) == ERPC
    assert world.call(f"byte_size(erpc:call(Alias, erlang, list_to_binary, [[{large}]])).") == (
        "1000000"
    )


def test_new_atoms_of_a_refused_message_are_known_behind_it(world: Connected) -> None:
    """Its sender has put them into its cache and does not say them again."""
    sent = "catch erpc:call(Alias, init, stop, [{never_said_before, [and_neither_this]}])"
    again = "erpc:call(Alias, lists, last, [[never_said_before, and_neither_this]])"
    assert world.call(f"{sent}, {again}.") == "and_neither_this"


def test_a_c_node_is_refused_too(world: Connected) -> None:
    alias = world.alias.strip("'")
    ran = erl_call(alias, "init:stop().", cookie=LOCAL_COOKIE, epmd_port=world.local_epmd_port)
    assert "refused_by_erlconnect" in ran.stdout + ran.stderr
    assert world.remote.process.returncode is None


@pytest.mark.parametrize(
    "call",
    [
        "catch erpc:call(Alias, init, stop, []).",
        "rpc:call(Alias, init, stop, []).",
        "spawn(Alias, erlang, halt, []).",
        "{init, Alias} ! {stop, normal}.",
        "{rex, Alias} ! {self(), {call, init, stop, [], user}}.",
    ],
)
def test_allow_stop_lets_it_through(call: str) -> None:
    """The control: without the rule the node ends, through us as directly."""
    with connected("--allow-stop") as world:
        world.call(call)
        world.remote.process.wait(20)
        assert refusals(world) == []
        down = world.session.wait_event("link-down")
        assert down["refused"] == 0


def test_the_end_of_a_link_counts_its_refusals() -> None:
    with connected() as world:
        world.call("rpc:call(Alias, init, stop, []), rpc:call(Alias, erlang, halt, []).")
        world.call("disconnect_node(Alias).")
        assert world.session.wait_event("link-down")["refused"] == 2


def refusals(world: Connected) -> list[dict[str, str]]:
    return [event for event in world.session.events if event["event"] == "refused"]
