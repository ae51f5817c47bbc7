"""What is no node, stops in mid-handshake or says no: each is told as what it is."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import assert_explained, assert_secret, failure
from end_to_end.machine import FROM_VARIABLE, fixed, machine
from end_to_end.scripted_local import dialled
from end_to_end.scripted_remote import (
    HTTP_ERROR,
    TLS_ALERT,
    ScriptedRemote,
    closes,
    in_turn,
    plays,
    queue_filled,
    sends,
)
from transports.sockets import silent
from world.connected import remote_node
from world.epmd import RealEpmd
from world.ports import free_port
from world.recording_relay import RecordingRelay
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.scripted_remote import Behaviour
    from world.erlang import ErlangNode
    from world.session import ErlconnectSession

APP = "app@127.0.0.1"
CONNECT = f"net_kernel:connect_node('{APP}')."
DIAL = f"Me = self(), spawn(fun() -> Me ! {{dialled, net_kernel:connect_node('{APP}')}} end)."
DIALLED = "receive {dialled, Result} -> Result after 5000 -> timeout end."


def at(port: int) -> list[str]:
    return ["-b", "fixed", APP, "-o", f"dist-port={port}", *FROM_VARIABLE]


@pytest.mark.parametrize(
    ("behaviour", "says", "advises"),
    [
        (closes, "the connection was closed", "not epmd's or a web server's"),
        (sends(b"220 mail.test ESMTP\r\n"), "status", "not epmd's or a web server's"),
        (sends(b"\0\x03sno"), "a status that the protocol does not know", "distribution port"),
        (sends(b"\0\x00"), "a frame of 0 bytes", "distribution port"),
        (sends(HTTP_ERROR), "an HTTP answer came instead", "not epmd's or a web server's"),
        (sends(TLS_ALERT), "a TLS alert", "inet_tls"),
        (plays(steps=2, name="no name"), "an unusable node name", "with which name"),
    ],
)
def test_what_answers_is_no_node(behaviour: Behaviour, says: str, advises: str) -> None:
    with ScriptedRemote(behaviour) as remote, machine(epmd=False) as here:
        error = failure(here.session(*at(remote.port)))
        assert_explained(
            error,
            code=76,
            cause="not-distribution",
            says=(f"127.0.0.1:{remote.port}", says),
            advises=advises,
        )


def test_the_port_of_an_epmd_is_no_distribution_port() -> None:
    with RealEpmd(free_port()) as epmd, machine(epmd=False) as here:
        error = failure(here.session(*at(epmd.port)))
        assert (error["code"], error["cause"]) == (76, "not-distribution")
        assert "epmd's" in error["remedy"]


def test_a_web_server_that_waits_for_the_rest_of_the_request() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", free_port()), BaseHTTPRequestHandler)
    with server, machine(epmd=False) as here:
        threading.Thread(target=server.serve_forever).start()
        try:
            error = failure(here.session(*at(server.server_port)))
        finally:
            server.shutdown()
        assert_explained(
            error,
            code=75,
            cause="timed-out",
            says=(f"127.0.0.1:{server.server_port}", "its status did not come within "),
            advises="the port is the distribution port",
        )


def test_a_node_that_is_suspended_before_its_challenge() -> None:
    with ScriptedRemote(plays(steps=1)) as remote, machine(epmd=False) as here:
        error = failure(here.session(*at(remote.port)))
        assert_explained(
            error,
            code=75,
            cause="timed-out",
            says=(f"127.0.0.1:{remote.port}", "its challenge did not come within "),
            advises="overloaded or suspended",
        )


def test_nobody_listens_and_nobody_answers() -> None:
    port = free_port()
    with machine(epmd=False) as here:
        error = failure(here.session(*at(port)))
        assert_explained(
            error,
            code=69,
            cause="unreachable",
            says=("127.0.0.1", str(port), "refused the connection"),
            advises="check that the node runs",
        )
        with silent("127.0.0.1") as (_, port):
            error = failure(here.session(*at(port)))
        assert_explained(
            error,
            code=75,
            cause="timed-out",
            says=(f"127.0.0.1:{port} did not accept a connection within ",),
            advises="Check that the node runs",
        )


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


def test_an_allow_list_is_named_and_a_caller_name_gets_through() -> None:
    allowed = "console@ops.example"
    with remote_node(APP) as remote, machine() as here:
        remote.evaluate(f"ok = net_kernel:allow(['{allowed}']).")
        error = failure(here.session(*fixed(remote)))
        assert_explained(
            error,
            code=77,
            cause="not-allowed",
            says=("does not allow the name", "erlconnect.invalid", "not_allowed"),
            advises="--caller-name",
        )
        with here.session(*fixed(remote), "--caller-name", allowed) as session:
            session.ready()
            with here.node() as local:
                assert local.evaluate(CONNECT) == "true"
            assert session.wait_event("link-up")["caller_name"] == allowed
