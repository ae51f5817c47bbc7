"""What is no node, or says no, when a session begins: each is told as what it is."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import assert_explained, failure
from end_to_end.machine import FROM_VARIABLE, fixed, machine
from end_to_end.scripted_remote import HTTP_ERROR, TLS_ALERT, ScriptedRemote, closes, plays, sends
from plugins.transports.sockets import silent
from world.connected import remote_node
from world.epmd import RealEpmd
from world.ports import free_port

if TYPE_CHECKING:
    from end_to_end.scripted_remote import Behaviour

APP = "app@127.0.0.1"
CONNECT = f"net_kernel:connect_node('{APP}')."


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
        (sends(TLS_ALERT), "speaks the distribution over TLS", "transport.tls-ca="),
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
