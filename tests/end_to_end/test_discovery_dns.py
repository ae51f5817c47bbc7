"""From a real name server's records to a call, and four ways in which it says no."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import assert_explained, assert_secret, failure
from end_to_end.machine import FROM_VARIABLE, alias_of, machine
from transports.sockets import silent
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.knot import KnotServer
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.session import ErlconnectSession

# shop-0 is the node's host; shop-9 has an address behind which nobody is.
ZONE = """
shop-0                 A    127.0.0.1
shop-9                 A    127.0.0.1
_epmd._tcp.shop        SRV  0 0 {epmd} shop-0
_dist._tcp.shop        SRV  0 0 {dist} shop-0
shop                   SRV  0 0 {dist} shop-0
plain                  A    127.0.0.1
web                    SRV  0 0 {web}  shop-0
zero                   SRV  0 0 0      shop-0
_dist._tcp.two         SRV  0 0 {dead} shop-9
_dist._tcp.two         SRV  1 0 {dist} shop-0
_dist._tcp.dead        SRV  0 0 {dead} shop-9
_dist._tcp.dead        SRV  1 0 {web}  shop-0
empty                  TXT  "no pod is ready"
"""
NAME = "app@shop-0.shop.test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A name server that knows one real node, and a web server and a dead port beside it."""

    dns_port: int
    epmd_port: int
    dist_port: int
    dead_port: int

    def session(self, here: Machine, service: str, *words: str) -> ErlconnectSession:
        server = f"server=127.0.0.1:{self.dns_port}"
        return here.session("-b", "dns", service, "-o", server, *FROM_VARIABLE, *words)


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with (
        RealEpmd(free_port()) as epmd,
        ErlangNode.start(NAME, epmd_port=epmd.port, cookie=REMOTE_COOKIE) as node,
        web_server() as web,
        silent("127.0.0.1") as (_, dead),
    ):
        zone = ZONE.format(epmd=epmd.port, dist=node.dist_port, web=web, dead=dead)
        with KnotServer({"shop.test": zone, "broken.test": None}) as knot:
            yield Directory(
                dns_port=knot.port,
                epmd_port=epmd.port,
                dist_port=node.dist_port,
                dead_port=dead,
            )


@contextmanager
def web_server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", free_port()), QuietHandler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


class QuietHandler(BaseHTTPRequestHandler):
    timeout = 10

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("service", "words", "record"),
    [
        ("_epmd._tcp.shop.shop.test", [], "SRV"),
        ("_dist._tcp.shop.shop.test", [], "SRV"),
        ("shop.shop.test", [], "SRV"),
        ("plain.shop.test", ["-o", "epmd-port={epmd}"], "A"),
        ("web.shop.test", ["-o", "epmd-port={epmd}"], "SRV"),
        ("zero.shop.test", ["-o", "epmd-port={epmd}"], "SRV"),
    ],
)
def test_from_a_record_to_a_call(
    directory: Directory, service: str, words: list[str], record: str
) -> None:
    words = [word.format(epmd=directory.epmd_port) for word in words]
    with (
        machine() as here,
        directory.session(here, service, *words) as session,
        here.node() as local,
    ):
        ready = session.ready()
        entry = ready["aliases"][0]
        assert (entry["node"], entry["dist_port"]) == (NAME, directory.dist_port)
        assert entry["facts"]["record"] == record
        assert ready["backend"] == "dns"
        alias = alias_of(ready)
        assert local.evaluate(f"erpc:call({alias}, erlang, node, []).") == alias
        assert_secret(session.process)


def test_the_first_target_is_dead(directory: Directory) -> None:
    """It costs three seconds and a note, not the session."""
    with (
        machine(epmd=False) as here,
        directory.session(here, "_dist._tcp.two.shop.test") as session,
    ):
        passed = session.wait_event("warning", 15)["message"]
        assert f"127.0.0.1:{directory.dead_port} did not accept a connection" in passed
        assert session.ready(3)["aliases"][0]["node"] == NAME
        others = session.wait_event("warning", number=2)["message"]
        assert "2 targets" in others
        assert "--node" in others


def test_no_target_answers(directory: Directory) -> None:
    with machine(epmd=False) as here:
        error = failure(directory.session(here, "_dist._tcp.dead.shop.test"))
        assert_explained(
            error,
            code=75,
            cause="timed-out",
            says=(
                "none of 2 targets answered",
                f"127.0.0.1:{directory.dead_port}",
                "its status did not come within",
            ),
            advises="Check",
        )


def test_one_of_several_targets_is_named(directory: Directory) -> None:
    with machine(epmd=False) as here:
        words = ["_dist._tcp.two.shop.test", "--node", "shop-0.shop.test"]
        with directory.session(here, *words) as session:
            assert session.ready()["aliases"][0]["node"] == NAME
            assert not [one for one in session.events if one["event"] == "warning"]


def test_a_wrong_template_is_a_warning(directory: Directory) -> None:
    words = ["_dist._tcp.shop.shop.test", "-o", "node=shop@{dashed_ip}.pods.test"]
    with machine(epmd=False) as here, directory.session(here, *words) as session:
        assert session.ready()["aliases"][0]["alias"] == "app@127.0.0.1"
        told = session.wait_event("warning")["message"]
        assert "shop@127-0-0-1.pods.test" in told
        assert f"calls itself {NAME}" in told


def test_a_template_with_an_unknown_field(directory: Directory) -> None:
    words = ["_dist._tcp.shop.shop.test", "-o", "node={pod}@{ip}"]
    with machine(epmd=False) as here:
        assert_explained(
            failure(directory.session(here, *words)),
            code=2,
            cause="usage",
            says=("{pod}@{ip}", "no field {pod}"),
            advises="{dashed_ip}",
        )


@pytest.mark.parametrize(
    ("service", "code", "cause", "says", "advises"),
    [
        ("ghost.shop.test", 69, "name-not-found", "NXDOMAIN", "spelling"),
        ("shop.broken.test", 69, "lookup-failed", "SERVFAIL", "Try again"),
        ("empty.shop.test", 69, "no-node-found", "has no such record", "instances that are ready"),
    ],
)
def test_what_a_name_server_says_instead_of_addresses(
    directory: Directory, service: str, *, code: int, cause: str, says: str, advises: str
) -> None:
    with machine(epmd=False) as here:
        assert_explained(
            failure(directory.session(here, service)),
            code=code,
            cause=cause,
            says=(service, f"127.0.0.1:{directory.dns_port}", says),
            advises=advises,
        )


def test_a_name_server_that_says_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute, machine(epmd=False) as here:
        mute.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{mute.getsockname()[1]}"
        error = failure(here.session("-b", "dns", "shop.test", "-o", f"server={server}"))
        assert_explained(
            error,
            code=75,
            cause="lookup-timeout",
            says=("shop.test", server, "did not answer over UDP in time"),
            advises="-o tcp=true",
        )


def test_an_alias_avoids_the_real_name_of_another_target() -> None:
    """Otherwise a pid of that other node would look like one of this alias."""
    port = free_port()
    only = ("-kernel", "inet_dist_use_interface", "{127,0,0,2}")
    listen = ("inet_dist_listen_min", str(port), "inet_dist_listen_max", str(port))
    zone = "pods A 127.0.0.1\npods A 127.0.0.2\n"
    words = ["pods.shop.test", "-o", "basename=app", "-o", f"dist-port={port}"]
    with (
        KnotServer({"shop.test": zone}) as knot,
        RealEpmd(free_port()) as epmd,
        ErlangNode.start(
            "app@127.0.0.2", epmd_port=epmd.port, cookie=REMOTE_COOKIE, flags=(*only, *listen)
        ),
        machine(epmd=False) as here,
        here.session(
            "-b", "dns", *words, "-o", f"server=127.0.0.1:{knot.port}", *FROM_VARIABLE
        ) as session,
    ):
        entry = session.ready()["aliases"][0]
        assert entry["node"] == "app@127.0.0.2"
        assert entry["alias"] == "app-local@127.0.0.1"
        told = "app@127.0.0.1 is another target; the alias is app-local@127.0.0.1"
        assert told in [one["message"] for one in session.events if one["event"] == "warning"]
