"""The local epmd as a session finds and leaves it: none, one that dies, one with a clash."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import assert_explained, failure, family, listening
from end_to_end.machine import alias_of, fixed, machine
from end_to_end.scripted_remote import HTTP_ERROR, ScriptedRemote, closes, sends
from world.connected import remote_node
from world.epmd import RealEpmd
from world.waiting import wait_until

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode

APP = "app@127.0.0.1"
RETURN_SECONDS = 2.0


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    with remote_node(APP) as node:
        yield node


def names(here: Machine) -> dict[str, int]:
    """What the real ``epmd -names`` says on that machine."""
    shown = subprocess.run(
        ["epmd", "-port", str(here.epmd_port), "-names"],
        env={**os.environ, **here.environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    lines = [line.split() for line in shown.stdout.splitlines() if line.startswith("name ")]
    return {words[1]: int(words[4]) for words in lines}


def ping(node: ErlangNode, alias: str) -> str:
    return node.evaluate(f"net_adm:ping('{alias}').")


def test_no_epmd_at_all(remote: ErlangNode) -> None:
    """The session serves one, for real nodes of both kinds, for IPv6 and for the real tool."""
    with machine(epmd=False) as here, here.session(*fixed(remote)) as session:
        ready = session.ready()
        assert ready["epmd"] == {"port": here.epmd_port, "embedded": True}
        ipv6 = ("-proto_dist", "inet6_tcp")
        with (
            here.node() as long,
            here.node("dev2") as short,
            here.node("dev6@::1", flags=ipv6) as six,
        ):
            assert names(here) == {
                "app": ready["aliases"][0]["local_port"],
                "dev": long.dist_port,
                "dev2": short.dist_port,
                "dev6": six.dist_port,
            }
            assert ping(long, APP) == "pong"
            assert ping(short, "app@localhost") == "pong"
            assert ping(six, "app@::1") == "pong"
            assert ping(long, "nobody@127.0.0.1") == "pang"
            answer = long.evaluate("net_adm:names({127, 0, 0, 1}).")
            assert f'{{"dev6",{six.dist_port}}}' in answer
        wait_until(lambda: set(names(here)) == {"app"}, "the nodes' names are gone")
        assert session.interrupt() == 130
        assert names(here) == {}


def test_a_name_stands_in_the_running_epmd_and_is_gone_after_the_exit(remote: ErlangNode) -> None:
    with machine() as here:
        with here.session(*fixed(remote)) as session:
            ready = session.ready()
            assert ready["epmd"] == {"port": here.epmd_port, "embedded": False}
            assert names(here) == {"app": ready["aliases"][0]["local_port"]}
            assert session.terminate() == 0
        assert names(here) == {}


def test_epmd_is_killed_under_a_session(remote: ErlangNode) -> None:
    """None returns: the session serves one, the name is back, and a real node's too."""
    with machine(epmd=False) as here, RealEpmd(here.epmd_port) as epmd:
        with here.session(*fixed(remote)) as session, here.node() as local:
            session.ready()
            assert ping(local, APP) == "pong"
            epmd.kill()
            wait_until(lambda: "app" in names(here), "the alias is back", RETURN_SECONDS)
            assert "this session serves one now" in session.wait_event("warning")["message"]
            assert ping(local, APP) == "pong"
            wait_until(lambda: "dev" in names(here), "OTP 25's own name is back")
            with here.node("late@127.0.0.1") as late:
                assert ping(late, APP) == "pong"
        assert names(here) == {}


def test_epmd_is_restarted_under_a_session(remote: ErlangNode) -> None:
    with machine(epmd=False) as here, RealEpmd(here.epmd_port) as epmd:
        with here.session(*fixed(remote)) as session:
            before = session.ready()["aliases"][0]["local_port"]
            epmd.restart()
            wait_until(lambda: names(here) == {"app": before}, "it is back", RETURN_SECONDS)
            assert (("127.0.0.1", here.epmd_port)) not in listening(session.pid)
        wait_until(lambda: epmd.names() == {}, "the name is gone")


def test_two_sessions_that_race_for_the_port(remote: ErlangNode) -> None:
    """One serves, both are in it; when that one goes, the other takes over."""
    with machine(epmd=False) as here, ExitStack() as stack:
        sessions = [stack.enter_context(here.session(*fixed(remote))) for _ in range(2)]
        ready = [session.ready() for session in sessions]
        assert sorted(one["epmd"]["embedded"] for one in ready) == [False, True]
        assert sorted(one["aliases"][0]["alias"] for one in ready) == [
            "app-2@127.0.0.1",
            "app@127.0.0.1",
        ]
        assert set(names(here)) == {"app", "app-2"}
        with here.node() as local:
            for one in ready:
                assert local.evaluate(f"net_adm:ping({alias_of(one)}).") == "pong"
        serving = next(n for n, one in enumerate(ready) if one["epmd"]["embedded"])
        left = ready[1 - serving]["aliases"][0]["alias"]
        assert sessions[serving].interrupt() == 130
        wait_until(
            lambda: names(here).keys() == {left.partition("@")[0]}, "taken over", RETURN_SECONDS
        )
        with here.node() as local:
            assert ping(local, left) == "pong"


def test_a_name_that_is_taken_gets_a_suffix_and_it_is_said(remote: ErlangNode) -> None:
    with machine() as here, here.node("app@127.0.0.1") as namesake:
        with here.session(*fixed(remote)) as session:
            told = session.wait_event("warning")["message"]
            assert told == "the name app is taken; the alias is app-2@127.0.0.1"
            assert session.ready()["aliases"][0]["short_alias"] == "app-2@localhost"
            assert names(here)["app"] == namesake.dist_port
            assert ping(namesake, "app-2@127.0.0.1") == "pong"
        with here.session(*fixed(remote), "--as", "shop") as session:
            assert session.ready()["aliases"][0]["alias"] == "shop@127.0.0.1"
            assert "warning" not in [one["event"] for one in session.events]


def test_only_loopback_is_listened_on(remote: ErlangNode) -> None:
    with machine(epmd=False) as here, here.session(*fixed(remote)) as session:
        port = session.ready()["aliases"][0]["local_port"]
        assert listening(session.pid) == {
            (address, each) for address in ("127.0.0.1", "::1") for each in (port, here.epmd_port)
        }
        assert family(session.pid) == [session.pid]


@pytest.mark.parametrize("behaviour", [closes, sends(HTTP_ERROR), lambda _: None])
def test_the_epmd_port_is_held_by_something_else(
    remote: ErlangNode, behaviour: Callable[[socket.socket], None]
) -> None:
    with machine(epmd=False) as here, ScriptedRemote(behaviour, port=here.epmd_port):
        assert_explained(
            failure(here.session(*fixed(remote))),
            code=69,
            cause="epmd",
            says=(f"the local epmd on port {here.epmd_port}",),
            advises="ERL_EPMD_PORT",
        )
        assert here.left_over_files() == []
