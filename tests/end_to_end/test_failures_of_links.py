"""Links that stop in mid-handshake, break, or begin with what is no node; the session goes on."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import assert_explained, assert_secret
from end_to_end.machine import FROM_VARIABLE, fixed, machine
from end_to_end.scripted_local import dialled, linked
from end_to_end.scripted_remote import ScriptedRemote, in_turn, plays, queue_filled
from world.connected import remote_node
from world.ports import free_port
from world.recording_relay import RecordingRelay
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.erlang import ErlangNode
    from world.session import ErlconnectSession

APP = "app@127.0.0.1"
CONNECT = f"net_kernel:connect_node('{APP}')."
DIAL = f"Me = self(), spawn(fun() -> Me ! {{dialled, net_kernel:connect_node('{APP}')}} end)."
DIALLED = "receive {dialled, Result} -> Result after 5000 -> timeout end."


def at(port: int) -> list[str]:
    return ["-b", "fixed", APP, "-o", f"dist-port={port}", *FROM_VARIABLE]


def test_a_remote_that_stops_in_each_phase_of_a_link() -> None:
    """Each local node is told before its own seven seconds are over, and the session goes on."""
    messages = ["status", "challenge", "challenge_ack"]
    with (
        ScriptedRemote(plays(steps=2)) as remote,
        machine(epmd=False) as here,
        here.session(*at(remote.port)) as session,
        ExitStack() as stack,
    ):
        session.ready()
        remote.behaviour = in_turn([plays(steps=steps) for steps in range(3)])
        locals_ = [stack.enter_context(here.node(f"dev{n}@127.0.0.1")) for n in range(3)]
        for local in locals_:
            local.evaluate(DIAL)
        errors = [session.wait_event("error", number=n) for n in (1, 2, 3)]
        for message in messages:
            error = next(one for one in errors if f"its {message} " in one["message"])
            assert_explained(
                error,
                code=75,
                cause="timed-out",
                says=(
                    f"{APP} at 127.0.0.1:{remote.port} accepted the connection",
                    f"its {message} did not come within 6 s",
                ),
                advises="Try again",
            )
        assert {error["local_node"] for error in errors} == {local.name for local in locals_}
        assert [local.evaluate(DIALLED) for local in locals_] == ["false"] * 3
        remote.behaviour = plays(steps=3)
        assert locals_[0].evaluate(CONNECT) == "true"
        session.wait_event("link-up")
        assert_secret(session.process)


def test_a_remote_that_does_not_even_accept_any_more() -> None:
    with (
        socket.create_server(("127.0.0.1", free_port()), backlog=0) as listener,
        machine(epmd=False) as here,
        here.session(*at(listener.getsockname()[1])) as session,
    ):
        with listener.accept()[0] as knocking:
            plays(steps=2)(knocking)
            session.ready()
        with here.node() as local, queue_filled(listener):
            assert local.evaluate(CONNECT) == "false"
            assert_explained(
                session.wait_event("error"),
                code=75,
                cause="timed-out",
                says=(f"{APP} at 127.0.0.1", "did not accept a connection within 6 s"),
                advises="has a way to its address",
            )
            lost = session.wait_event("target-lost")
        assert (lost["alias"], lost["node"]) == (APP, APP)
        assert "did not accept a connection within" in lost["message"]


def test_whoever_connects_to_the_alias_and_keeps_silent() -> None:
    with (
        remote_node(APP) as remote,
        RecordingRelay(remote.dist_port) as relay,
        machine(epmd=False) as here,
        here.session(*at(relay.port)) as session,
    ):
        port = session.ready()["aliases"][0]["local_port"]
        with socket.create_connection(("127.0.0.1", port), timeout=20) as silent_one:
            assert silent_one.recv(1) == b""
        assert_explained(
            session.wait_event("error"),
            code=76,
            cause="local-node",
            says=("did not send its send_name within 6 s",),
            advises="only Erlang nodes",
        )
        with here.node() as local:
            assert local.evaluate(CONNECT) == "true"
        assert len(relay.connections) == 2, "nobody doubted the remote node for it"


@pytest.mark.parametrize(
    "name", ["dev", "@", "dev@", "d\udcffv@127.0.0.1", "d\x1b[31mev@127.0.0.1", "d" * 300 + "@h"]
)
def test_a_name_that_no_node_can_have_stays_on_this_machine(
    here_and_there: tuple[ErlangNode, ErlconnectSession], name: str
) -> None:
    remote, session = here_and_there
    before = len(session.events)
    with dialled(session.ready(), name) as sock:
        assert sock.recv(1) == b""
    wait_until(lambda: len(session.events) > before, "it is told")
    assert_explained(
        session.events[-1],
        code=76,
        cause="local-node",
        says=("the local node was not let in", "is no node name"),
        advises="only Erlang nodes",
    )
    assert remote.process.output == ""


@pytest.fixture(scope="module")
def here_and_there() -> Iterator[tuple[ErlangNode, ErlconnectSession]]:
    with (
        remote_node(APP) as remote,
        machine(epmd=False) as here,
        here.session(*fixed(remote), environment={"PYTHONUTF8": "1"}) as session,
    ):
        session.ready()
        yield remote, session


def test_two_local_nodes_with_one_caller_name_take_turns() -> None:
    with (
        remote_node(APP) as remote,
        machine() as here,
        here.session(*fixed(remote), "--caller-name", "console") as session,
        here.node() as local,
        here.node("other@127.0.0.1") as other,
    ):
        session.ready()
        assert local.evaluate(CONNECT) == "true"
        local.evaluate(f"erlang:monitor_node('{APP}', true).")
        assert other.evaluate(CONNECT) == "true"
        told = session.wait_event("warning")["message"]
        assert "other@127.0.0.1 takes the place of dev@127.0.0.1" in told
        assert "--caller-name" in told
        assert local.evaluate(f"receive {{nodedown, '{APP}'}} -> down after 5000 -> up end.") == (
            "down"
        )
        assert other.evaluate(f"net_adm:ping('{APP}').") == "pong"


def test_a_node_that_slept_through_the_end_of_its_link_connects_again() -> None:
    """Its old link still stands; the remote node asks, and the local one says that it is new."""
    with (
        remote_node(APP) as remote,
        machine() as here,
        here.session(*fixed(remote)) as session,
        here.node() as local,
        linked(session.ready(), local.name) as asleep,
    ):
        assert local.evaluate(CONNECT) == "true"
        assert asleep.recv(1) == b""
        assert local.evaluate(f"net_adm:ping('{APP}').") == "pong"
        assert "warning" not in [one["event"] for one in session.events]


def test_a_frame_that_is_longer_than_any_may_be() -> None:
    def lies(sock: socket.socket) -> None:
        plays(steps=3)(sock)
        sock.sendall(b"\xff\xff\xff\xff\x83D\0")

    with (
        ScriptedRemote(plays(steps=2)) as remote,
        machine() as here,
        here.session(*at(remote.port)) as session,
    ):
        ready = session.ready()
        remote.behaviour = lies
        with linked(ready, "dev@127.0.0.1") as local:
            assert local.recv(1) == b""
        reason = session.wait_event("link-down")["reason"]
        assert reason.startswith("protocol error of the remote node: ")
        assert "4294967295" in reason
