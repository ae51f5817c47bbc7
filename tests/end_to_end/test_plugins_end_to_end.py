"""Other people's plugins, really installed beside erlconnect, in whole sessions."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import assert_secret, failure
from end_to_end.machine import FROM_VARIABLE, alias_of, fixed, machine
from world.connected import remote_node
from world.installed_plugins import installed_plugins
from world.knot import KnotServer
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode
    from world.session import ErlconnectSession

APP = "app@127.0.0.1"
CONNECT = f"net_kernel:connect_node('{APP}')."


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    with remote_node(APP) as node:
        yield node


def session(here: Machine, *words: str, **variables: str) -> ErlconnectSession:
    folder = str(installed_plugins().folder)
    return here.session(*words, environment={"PYTHONPATH": folder, **variables})


class Nomad(ThreadingHTTPServer):
    """Answers one request of Nomad's HTTP API with ``instances`` and everything else with 404."""

    def __init__(self, instances: list[dict[str, object]]) -> None:
        super().__init__(("127.0.0.1", free_port()), NomadHandler)
        self.answer = json.dumps(instances).encode()


class NomadHandler(BaseHTTPRequestHandler):
    server: Nomad

    def do_GET(self) -> None:
        known = self.path.startswith("/v1/service/shop?")
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def nomad(dist_port: int) -> Iterator[str]:
    """Return the address of a Nomad that knows one instance of ``shop``."""
    instance = {
        "ID": "_nomad-task-1",
        "AllocID": "alloc-1",
        "Datacenter": "dc1",
        "Address": "127.0.0.1",
        "Port": dist_port,
        "Tags": ["blue"],
    }
    with Nomad([instance]) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_a_third_party_s_backend_finds_a_real_node(remote: ErlangNode) -> None:
    with nomad(remote.dist_port) as address, machine() as here:
        words = ["-b", "nomad", "shop", "-o", f"address={address}", "-o", "port=dist"]
        with session(here, *words, *FROM_VARIABLE) as running, here.node() as local:
            ready = running.ready()
            assert ready["backend"] == "nomad"
            assert ready["aliases"][0]["node"] == APP
            assert ready["aliases"][0]["facts"] == {"allocation": "alloc-1", "datacenter": "dc1"}
            alias = alias_of(ready)
            assert local.evaluate(f"erpc:call({alias}, erlang, node, []).") == alias
            assert_secret(running.process)
        words[2] = "ghost"
        error = failure(session(here, *words, *FROM_VARIABLE))
        assert (error["code"], error["cause"]) == (69, "lookup-failed")
        assert "HTTP 404" in error["message"]


def test_the_session_s_own_settings_hold_for_a_third_party_s_backend(remote: ErlangNode) -> None:
    words = ["-o", f"dist-port={remote.dist_port}", "-o", "node=app@{ip}"]
    with nomad(1) as address, machine(epmd=False) as here:
        variables = {"ERLCONNECT_NOMAD_ADDRESS": address}
        with session(here, "-b", "nomad", "shop", *words, *FROM_VARIABLE, **variables) as running:
            assert running.ready()["aliases"][0]["dist_port"] == remote.dist_port
            assert "warning" not in [one["event"] for one in running.events]


@pytest.mark.parametrize(
    ("words", "cause", "says", "advises"),
    [
        (["-b", "broken"], "plugin", "no_such_library_at_all", "erlconnect-broken"),
        (["-b", "raising"], "plugin", "the hook fell over", "erlconnect-raising"),
        (["-b", "quitting"], "plugin", "SystemExit", "erlconnect-oddities"),
        (["-b", "creating"], "plugin", "no creation today", "erlconnect-oddities"),
        (["-b", "newer"], "plugin", "version 99", "erlconnect-oddities"),
        (["-b", "needy"], "missing-extra", "no_such_library", "pip install needy"),
        (["-b", "twin"], "plugin", "twin-red", "prefer"),
        (["-b", "nowhere"], "unknown-plugin", "nowhere", "erlconnect plugins"),
    ],
)
def test_a_plugin_that_cannot_be_used(
    words: list[str], cause: str, says: str, advises: str
) -> None:
    with machine(epmd=False) as here:
        error = failure(session(here, *words, "shop"))
        assert (error["code"], error["cause"]) == (78, cause)
        told = f"{error['message']} {error['remedy']}"
        assert says in told
        assert advises in told


def test_a_transport_that_falls_over(remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        error = failure(session(here, *fixed(remote), "--transport", "creating"))
        assert (error["code"], error["cause"]) == (78, "plugin")
        assert "erlconnect-oddities" in error["message"]


def test_an_impostor_s_dns_is_never_used(remote: ErlangNode) -> None:
    """It would be asked where to connect, and would be given the cookie."""
    zone = f"_dist._tcp.shop SRV 0 0 {remote.dist_port} pod\npod A 127.0.0.1"
    with KnotServer({"shop.test": zone}) as knot, machine(epmd=False) as here:
        words = ["-b", "dns", "_dist._tcp.shop.shop.test", "-o", f"server=127.0.0.1:{knot.port}"]
        with session(here, *words, *FROM_VARIABLE) as running:
            ready = running.ready()
            assert ready["aliases"][0]["facts"]["record"] == "SRV"
            assert "the impostor was imported" not in running.process.output


def test_an_observer_learns_of_links(remote: ErlangNode) -> None:
    """One that stumbles is named, and harms neither the link nor the other observer."""
    with machine() as here:
        variables = {"ERLCONNECT_PLUGINS": "stumbling,observing"}
        words = [*fixed(remote), "-v"]
        process = session(here, *words, **variables).process
        with process:
            process.wait_for_line('"event": "ready"', 30)
            with here.node() as local:
                assert local.evaluate(CONNECT) == "true"
                process.wait_for_line(f"observed link-up {APP}")
                assert local.evaluate(f"erlang:disconnect_node('{APP}').") == "true"
                process.wait_for_line(f"observed link-down {APP}")
                assert local.evaluate(CONNECT) == "true"
            told = process.wait_for_line('"event": "warning"')
            assert "stumbling" in told
            assert f"stumbled over {APP}" in told
            process.terminate()
            assert process.returncode == 0


def test_an_observer_that_is_not_installed_is_a_warning(remote: ErlangNode) -> None:
    with (
        machine(epmd=False) as here,
        session(here, *fixed(remote), ERLCONNECT_PLUGINS="ghost") as running,
    ):
        running.ready()
        told = running.wait_event("warning")["message"]
        assert told.startswith("ERLCONNECT_PLUGINS: ")
        assert "'ghost'" in told
