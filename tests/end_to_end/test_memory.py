"""Memory does not grow with what passes, nor much with how many are connected."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import rss
from end_to_end.machine import alias_of, fixed, machine
from end_to_end.scripted_local import linked
from world.connected import connected, remote_node
from world.waiting import wait_until

if TYPE_CHECKING:
    from concurrent.futures import Future

    from world.session import ErlconnectSession

MEGABYTE = 1024 * 1024
GIGABYTE = 1024 * MEGABYTE
LINKS = 200
# Counts the messages that came by their MD5.
SINK = """
    register(sink, spawn(fun() ->
        (fun Loop(Seen) ->
            receive
                {data, Data} ->
                    Digest = crypto:hash(md5, Data),
                    Loop(Seen#{Digest => maps:get(Digest, Seen, 0) + 1});
                {tell, Asking} ->
                    Asking ! {seen, Seen}
            end
        end)(#{})
    end)).
"""
FLOOD = """
    Data = crypto:strong_rand_bytes({size}),
    [{{sink, {node}}} ! {{data, Data}} || _ <- lists:seq(1, {count})],
    {{sink, {node}}} ! {{tell, self()}},
    Sent = #{{crypto:hash(md5, Data) => {count}}},
    receive {{seen, Seen}} -> Seen =:= Sent after 90000 -> timeout end.
"""


@pytest.mark.parametrize("size", [MEGABYTE, 64 * MEGABYTE])
def test_two_opposed_floods_of_a_gigabyte(size: int) -> None:
    with connected("--inbound", "full") as world:
        assert world.call("net_adm:ping(Alias).") == "pong"
        caller = f"'{world.session.wait_event('link-up')['caller_name']}'"
        for node in (world.local, world.remote):
            node.evaluate(SINK)
        idle = rss(world.session.pid)
        with ThreadPoolExecutor() as floods:
            up, down = (
                floods.submit(
                    sender.evaluate, FLOOD.format(node=to, size=size, count=GIGABYTE // size), 100
                )
                for sender, to in ((world.local, world.alias), (world.remote, caller))
            )
            most = highest_rss(world.session.pid, up, down)
        assert (up.result(), down.result()) == ("true", "true")
        assert most - idle < 16 * MEGABYTE
        world.session.interrupt()
        down_event = world.session.wait_event("link-down")
        assert min(down_event["bytes_in"], down_event["bytes_out"]) > GIGABYTE


def highest_rss(pid: int, *until: Future[str]) -> int:
    """Look at a process's memory until all is done."""
    pause = threading.Event()
    most = 0
    while not all(future.done() for future in until):
        most = max(most, rss(pid))
        pause.wait(0.02)
    return most


def test_two_hundred_idle_links() -> None:
    with (
        remote_node("app@127.0.0.1") as remote,
        machine() as here,
        here.session(*fixed(remote)) as session,
        ExitStack() as links,
    ):
        ready = session.ready()
        for number in range(LINKS):
            links.enter_context(linked(ready, f"dev{number}@127.0.0.1"))
        assert remote.evaluate("length(nodes(hidden)).") == str(LINKS)
        assert rss(session.pid) < 100 * MEGABYTE
        with here.node() as local:
            assert local.evaluate(f"net_adm:ping({alias_of(ready)}).") == "pong"
        links.close()
        wait_until(lambda: remote.evaluate("nodes(hidden).") == "[]", "they are gone")
        wait_until(lambda: downs(session) == LINKS + 1, "every end is told")


def downs(session: ErlconnectSession) -> int:
    return [one["event"] for one in session.events].count("link-down")
