"""Links of every pair of releases that end, come again, are refused, and are used by tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from end_to_end.evidence import WRONG_COOKIE, assert_explained, assert_secret
from end_to_end.mirrored import assert_calls_work, load_mirror
from world.connected import LOCAL_COOKIE, session_to
from world.erlang import ErlangNode, erl_call
from world.waiting import wait_until

if TYPE_CHECKING:
    from fidelity.pairs import Pair
    from world.session import ErlconnectSession

RECONNECTS = 11
SHORT = "app@localhost"


def told(session: ErlconnectSession, event: str) -> int:
    return [one["event"] for one in session.events].count(event)


def test_a_link_ends_and_comes_again_under_the_same_names(pair: Pair) -> None:
    world = pair.world
    downs = told(world.session, "link-down")
    for number in range(downs + 1, downs + RECONNECTS + 1):
        assert world.call("net_adm:ping(Alias).") == "pong"
        assert world.remote.evaluate("nodes(hidden).") == f"[{world.caller}]"
        assert world.call("mirror:same(Alias, [Alias, node(), self()]).") == "same"
        assert world.call("erlang:disconnect_node(Alias).") == "true"
        down = world.session.wait_event("link-down", number=number)
        assert down["reason"] == "the local node closed the connection"
        wait_until(lambda: world.remote.evaluate("nodes(hidden).") == "[]", "the node is gone")
    assert_calls_work(world)


def test_the_remote_node_may_end_the_link(pair: Pair) -> None:
    world = pair.world
    downs = told(world.session, "link-down")
    assert world.call("true = monitor_node(Alias, true), net_adm:ping(Alias).") == "pong"
    assert world.remote.evaluate(f"erlang:disconnect_node({world.caller}).") == "true"
    assert world.call("receive {nodedown, Alias} -> down after 20000 -> up end.") == "down"
    down = world.session.wait_event("link-down", number=downs + 1)
    # It may close with something unread, which resets the connection.
    assert "remote node" in down["reason"]
    assert_calls_work(world)


def test_a_wrong_local_cookie_never_reaches_the_remote_node(pair: Pair) -> None:
    world = pair.world
    refused = told(world.session, "error")
    before = world.remote.process.output
    with ErlangNode.start(
        "wrong@127.0.0.1",
        epmd_port=world.local_epmd_port,
        cookie=WRONG_COOKIE,
        release=pair.local,
    ) as wrong:
        assert wrong.evaluate(f"net_adm:ping({world.alias}).") == "pang"
    error = world.session.wait_event("error", number=refused + 1)
    assert (error["cause"], error["local_node"]) == ("local-cookie-wrong", "wrong@127.0.0.1")
    assert world.remote.process.output == before
    assert_secret(world.session.process)


def test_a_wrong_remote_cookie_is_said(pair: Pair) -> None:
    world = pair.world
    with session_to(
        world.remote,
        *("--as", "wrong"),
        home=world.home,
        epmd_port=world.local_epmd_port,
        cookie=WRONG_COOKIE,
    ) as session:
        session.ready()
        assert world.local.evaluate("net_adm:ping('wrong@127.0.0.1').") == "pang"
        assert_explained(
            session.wait_event("error"),
            code=77,
            cause="remote-cookie-rejected",
            says=(world.remote.name, "rejected the cookie"),
            advises="--cookie-from",
        )
        assert_secret(session.process)


def test_erl_call_evaluates_there(pair: Pair) -> None:
    """A C node of this machine's release, whatever release the remote node is of."""
    done = erl_call(
        "app@127.0.0.1",
        "{node(), erlang:system_info(otp_release)}.",
        cookie=LOCAL_COOKIE,
        epmd_port=pair.world.local_epmd_port,
    )
    assert done.returncode == 0, done.stderr
    # Its node calls itself after this machine's own host name, long or short.
    answers = [f'{{ok, {{{alias}, "{pair.remote}"}}}}' for alias in ("'app@127.0.0.1'", SHORT)]
    assert done.stdout in answers


def test_a_node_without_a_name_gets_one_from_the_remote_node(pair: Pair) -> None:
    with pair.world.joined_by("undefined@127.0.0.1", release=pair.local) as world:
        assert world.local.evaluate(f"net_kernel:connect_node({world.alias}).") == "true"
        given = world.local.evaluate("atom_to_list(node()).").strip('"')
        assert given.endswith("@127.0.0.1")
        assert given != "undefined@127.0.0.1"
        world.local.name = given
        load_mirror(world.local, beside=world.remote)
        assert world.caller == f"'{given}'"
        assert world.call("mirror:same(Alias, [Alias, node(), self()]).") == "same"
