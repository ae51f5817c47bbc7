"""Ten instances of one service, each with an alias, and what spans several of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import pytest
from end_to_end.machine import FROM_VARIABLE, machine
from end_to_end.mirrored import load
from world.cluster import Cluster, cluster
from world.held import held
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.erlang import ErlangNode
    from world.session import ErlconnectSession

SIZE = 10
NAMES = ["app", *(f"app-{number}" for number in range(2, SIZE + 1))]
ALIASES = [f"'{name}@127.0.0.1'" for name in NAMES]
LISTED = f"[{','.join(ALIASES)}]"
RECONNECTS = 1000
WORKERS = min(32, (os.cpu_count() or 1) + 4)


class World(NamedTuple):
    remote: Cluster
    session: ErlconnectSession
    dev: ErlangNode


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with (
        cluster(SIZE) as remote,
        machine() as here,
        here.session(*remote.words(), *FROM_VARIABLE) as session,
        here.node() as dev,
    ):
        session.ready_with(SIZE)
        load("spanning", *remote.nodes, dev)
        yield World(remote, session, dev)
        for node in remote.nodes:
            assert node.process.output.count("Invalid distribution message") == 0


def test_ready_lists_an_alias_for_each(world: World) -> None:
    aliases = world.session.ready_with(SIZE)["aliases"]
    assert [one["alias"] for one in aliases] == [name.strip("'") for name in ALIASES]
    assert {one["node"] for one in aliases} == {node.name for node in world.remote.nodes}
    assert len({one["local_port"] for one in aliases}) == SIZE


def test_each_alias_is_the_node_itself_and_knows_the_others_by_theirs(world: World) -> None:
    called = f"[{{ok,{'},{ok,'.join(ALIASES)}}}]"
    multicall = f"erpc:multicall({LISTED}, erlang, node, [])."
    assert world.dev.evaluate(multicall) == called
    rpc = f"rpc:multicall({LISTED}, erlang, node, [])."
    assert world.dev.evaluate(rpc) == f"{{{LISTED},[]}}"
    everybody = "lists:sort([node() | nodes(hidden)]) =:= lists:sort([node() | Aliases])."
    assert world.dev.evaluate(f"Aliases = {LISTED}, {everybody}") == "true"
    all_see_all = (
        "[lists:sort(erpc:call(A, erlang, nodes, [])) =:= lists:sort(Aliases -- [A])"
        " || A <- Aliases]."
    )
    assert world.dev.evaluate(f"Aliases = {LISTED}, lists:usort({all_see_all[:-1]}).") == "[true]"
    # Hidden towards each of them, and their cluster is whole.
    seen = [
        node.evaluate("{length(nodes()), length(nodes(hidden))}.") for node in world.remote.nodes
    ]
    assert set(seen) == {f"{{{SIZE - 1},1}}"}


def test_what_belongs_to_any_instance_and_comes_through_any_link_is_usable(world: World) -> None:
    called = (
        f"Aliases = {LISTED}, lists:usort([spanning:reached(Teller, Owner) =:="
        " {[Owner], Owner, true, normal} || Teller <- Aliases, Owner <- Aliases])."
    )
    assert world.dev.evaluate(called, 110) == "[true]"


def test_members_of_a_group_are_usable_whoever_tells_of_them(world: World) -> None:
    for node in world.remote.nodes:
        assert node.evaluate("spanning:join(workers).") == "ok"
    told = f"[spanning:members(Teller, workers) || Teller <- {LISTED}]"
    everybody = f"lists:sort({LISTED})"
    complete = f"lists:usort({told}) =:= [{{{everybody}, {everybody}}}]."
    wait_until(
        lambda: world.dev.evaluate(complete) == "true", "every member is known everywhere", 30
    )


def test_a_supervisor_here_has_children_on_all_of_them(world: World) -> None:
    started = f"spanning:start(here, {LISTED}), spanning:children(here) =:= Expected."
    expected = f"Expected = lists:sort([{{A, A, A}} || A <- {LISTED}]), "
    assert world.dev.evaluate(expected + started) == "true"
    again = "spanning:restarted(here, 'app-7@127.0.0.1')."
    assert world.dev.evaluate(again) == "{'app-7@127.0.0.1',10}"


def test_a_tree_of_theirs_spans_them_and_is_seen_whole_from_here(world: World) -> None:
    first, *others = world.remote.nodes
    names = ",".join(f"'{node.name}'" for node in others)
    first.evaluate(f"spanning:start(there, [{names}]).")
    expected = f"Expected = lists:sort([{{A, A, A}} || A <- tl({LISTED})]), "
    seen = "spanning:children({there, 'app@127.0.0.1'}) =:= Expected."
    assert world.dev.evaluate(expected + seen) == "true"
    again = "spanning:restarted({there, 'app@127.0.0.1'}, 'app-3@127.0.0.1')."
    assert world.dev.evaluate(again) == "{'app-3@127.0.0.1',9}"


def test_a_thousand_reconnects_leave_nothing_behind(world: World) -> None:
    again = (
        f"Aliases = {LISTED}, lists:usort([begin disconnect_node(A),"
        " net_kernel:hidden_connect_node(A) end || _ <- lists:seq(1, %d), A <- Aliases])."
    )
    assert world.dev.evaluate(again % 5, 100) == "[true]"
    wait_until(lambda: links_up(world.session) == SIZE, "only the last links are up")
    before = held(world.session.pid)
    assert world.dev.evaluate(again % (RECONNECTS // SIZE), 110) == "[true]"
    wait_until(lambda: links_up(world.session) == SIZE, "only the last links are up")
    after = held(world.session.pid)
    assert after.descriptors == before.descriptors
    # Beside two threads a link: those of the loop, which come as they are needed and stay.
    assert after.threads <= 2 * SIZE + 1 + WORKERS
    assert after.memory - before.memory < 2048
    assert {event["event"] for event in world.session.events} == {"ready", "link-up", "link-down"}


def links_up(session: ErlconnectSession) -> int:
    told = [event["event"] for event in session.events]
    return told.count("link-up") - told.count("link-down")
