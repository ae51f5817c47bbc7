"""Links that end and come again, links that idle, and nodes that share a cookie."""

from __future__ import annotations

import pytest
from end_to_end.mirrored import assert_calls_work, load, load_mirror, mirrored
from world.connected import REMOTE_COOKIE
from world.usual import USUAL
from world.waiting import wait_until

RECONNECTS = 11
# How long a node of this tick time takes to give up a silent one: at most 10 s.
TICK_SECONDS = 8
IDLE_SECONDS = 60


def test_a_link_ends_and_comes_again_under_the_same_names() -> None:
    with mirrored() as world:
        pids = set()
        for number in range(1, RECONNECTS + 1):
            assert world.call("net_adm:ping(Alias).") == "pong"
            caller = world.session.wait_event("link-up", number=number)["caller_name"]
            assert world.remote.evaluate("nodes(hidden).") == f"['{caller}']"
            pids.add(world.call("erpc:call(Alias, erlang, whereis, [mirror])."))
            assert world.call("mirror:same(Alias, [Alias, node(), self()]).") == "same"
            assert world.call("erlang:disconnect_node(Alias).") == "true"
            down = world.session.wait_event("link-down", number=number)
            assert down["reason"] == "the local node closed the connection"
            wait_until(lambda: world.remote.evaluate("nodes(hidden).") == "[]", "the node is gone")
        assert len(pids) == 1
        events = [event["event"] for event in world.session.events]
        assert events == ["ready", *["link-up", "link-down"] * RECONNECTS]


def test_a_link_can_come_again_at_once() -> None:
    """The remote node may still hold the old connection, and answers ``alive`` then."""
    with mirrored() as world:
        again = "[{erlang:disconnect_node(Alias), net_adm:ping(Alias)} || _ <- lists:seq(1, 20)]"
        assert world.call("net_adm:ping(Alias).") == "pong"
        assert world.call(f"lists:usort({again}).") == "[{true,pong}]"
        assert_calls_work(world)


def test_a_name_that_is_still_connected_is_taken_over() -> None:
    """The remote node answers ``alive``, and ends the first link when the second node insists."""
    with (
        mirrored("--caller-name", "the-only") as world,
        world.joined_by("next@127.0.0.1") as second,
    ):
        load_mirror(second.local, beside=world.remote)
        assert world.call("true = monitor_node(Alias, true), net_adm:ping(Alias).") == "pong"
        if USUAL.remote == "23":
            # Without a session too, OTP 23 waits for the first link to end by itself.
            assert second.call("net_adm:ping(Alias).") == "pang"
            return
        assert second.call("net_adm:ping(Alias).") == "pong"
        assert world.call("receive {nodedown, Alias} -> down after 5000 -> up end.") == "down"
        assert world.session.wait_event("link-down")["local_node"] == world.local.name
        assert world.caller == second.caller == "'the-only@erlconnect.invalid'"
        assert_calls_work(second)


def test_the_remote_node_may_end_the_link() -> None:
    with mirrored() as world:
        load("calls", world.local)
        assert world.call("net_adm:ping(Alias).") == "pong"
        assert world.call("calls:monitored_node(Alias).") == "{down,once}"
        assert world.call("net_adm:ping(Alias).") == "pong"
        seen = "monitor_node(Alias, true), receive {nodedown, Alias} -> down after 5000 -> up end."
        ends = f"spawn(fun() -> timer:sleep(200), erlang:disconnect_node({world.caller}) end)."
        world.remote.evaluate(ends)
        assert world.call(seen) == "down"
        down = world.session.wait_event("link-down", number=2)
        assert down["reason"] == "the remote node closed the connection"
        assert_calls_work(world)


@pytest.mark.timeout(IDLE_SECONDS + 60)
def test_a_link_that_idles_stays_up() -> None:
    """Both nodes send ticks of their own; a node that missed them would end the link."""
    ticks = ("-kernel", "net_ticktime", str(TICK_SECONDS))
    with mirrored(remote_flags=ticks, local_flags=ticks) as world:
        assert world.call("net_adm:ping(Alias).") == "pong"
        idle = f"receive {{nodedown, Node}} -> Node after {IDLE_SECONDS * 1000} -> still_up end."
        watched = f"monitor_node({world.caller}, true)."
        assert world.remote.evaluate(watched) == "true"
        seen = world.call(f"true = monitor_node(Alias, true), {idle}", IDLE_SECONDS + 30)
        assert seen == "still_up"
        missed = "receive {nodedown, Node} -> Node after 0 -> still_up end."
        assert world.remote.evaluate(missed) == "still_up"
        assert world.call("net_adm:ping(Alias).") == "pong"
        world.session.terminate()
        down = world.session.wait_event("link-down")
        assert down["reason"] == "the session ended"
        assert min(down["frames_in"], down["frames_out"]) > IDLE_SECONDS / TICK_SECONDS


def test_nodes_that_share_a_cookie_check_each_other() -> None:
    """The session knows no cookie and passes challenges and digests through."""
    passed = ("--cookie-from", "passthrough")
    with mirrored(*passed, local_cookie=REMOTE_COOKIE) as world:
        assert world.ready["cookie_source"] == "passthrough"
        assert_calls_work(world)
        assert world.call("mirror:same(Alias, material:large([Alias, node()], 50)).") == "same"
