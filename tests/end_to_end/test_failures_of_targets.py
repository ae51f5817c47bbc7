"""A remote node that dies, comes back, moves or is replaced: the alias outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from end_to_end.evidence import COMMAND, assert_explained, assert_secret, connections
from end_to_end.machine import FROM_VARIABLE, machine
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine

APP = "app@127.0.0.1"
CONNECT = f"net_kernel:connect_node('{APP}')."
WATCHED = f"true = net_kernel:connect_node('{APP}'), erlang:monitor_node('{APP}', true)."
# 64 MB that a stopped node never reads whole.
FLOOD = f"""
    Large = binary:copy(<<7>>, 64 * 1024 * 1024),
    Sender = spawn(fun() -> {{nobody, '{APP}'}} ! Large end),
    (fun Wait() ->
        case process_info(Sender, status) of
            {{status, suspended}} -> stuck;
            {{status, _}} -> timer:sleep(10), Wait()
        end
    end)().
"""
END = f"""
    receive {{nodedown, '{APP}'}} -> nodes(hidden) after 20000 -> still_up end.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteHost:
    """The host of remote nodes, with its own epmd."""

    epmd_port: int

    @contextmanager
    def node(self, name: str = APP, *, port: int | None = None) -> Iterator[ErlangNode]:
        """A node there, on the distribution port ``port``; ends by SIGKILL, as a crash does."""
        chosen = str(port or free_port())
        listen = ("-kernel", "inet_dist_listen_min", chosen, "inet_dist_listen_max", chosen)
        node = ErlangNode.start(name, epmd_port=self.epmd_port, cookie=REMOTE_COOKIE, flags=listen)
        try:
            yield node
        finally:
            node.kill()


@contextmanager
def remote_host() -> Iterator[RemoteHost]:
    with RealEpmd(free_port()) as epmd:
        yield RemoteHost(epmd_port=epmd.port)


def at(port: int) -> list[str]:
    return ["-b", "fixed", APP, "-o", f"dist-port={port}", *FROM_VARIABLE]


def bytes_out(here: Machine) -> int:
    """How much the only session has sent to its remote node, as ``status`` tells."""
    done = subprocess.run(
        [COMMAND, "status", "--json"],
        env={**os.environ, **here.environment()},
        capture_output=True,
        check=True,
        timeout=30,
    )
    links = json.loads(done.stdout)["aliases"][0]["links"]
    return int(links[0]["bytes_out"]) if links else 0


def test_a_node_that_dies_in_the_middle_of_a_large_message_and_comes_back() -> None:
    port = free_port()
    with (
        remote_host() as host,
        machine() as here,
        ExitStack() as first_life,
    ):
        remote = first_life.enter_context(host.node(port=port))
        with here.session(*at(port)) as session, here.node() as local:
            session.ready()
            local.evaluate(WATCHED)
            remote.process.signal(signal.SIGSTOP)
            assert local.evaluate(FLOOD) == "stuck"
            wait_until(lambda: bytes_out(here) > 65536, "a part of the message is on its way", 30)
            first_life.close()
            assert local.evaluate(END) == "[]"
            down = session.wait_event("link-down")
            assert "remote node" in down["reason"]
            assert 65536 < down["bytes_out"] < 64 * 1024 * 1024

            for number in (1, 2):
                assert local.evaluate(CONNECT) == "false"
                assert_explained(
                    session.wait_event("error", number=number),
                    code=69,
                    cause="unreachable",
                    says=("127.0.0.1", str(port), "refused the connection"),
                    advises="check that the node runs",
                )
            with host.node(port=port):
                assert local.evaluate(CONNECT) == "true"
                assert session.wait_event("link-up", number=2)["node"] == APP
            session.wait_event("link-down", number=2)
            assert local.evaluate(CONNECT) == "false"
            session.wait_event("error", number=3)
            lost = [one for one in session.events if one["event"] == "target-lost"]
            assert [(one["alias"], one["node"]) for one in lost] == [(APP, APP)] * 2
            assert "refused the connection" in lost[0]["message"]
            assert_secret(session.process)


def test_a_node_that_comes_back_on_another_port_which_its_epmd_knows() -> None:
    with remote_host() as host, machine() as here, ExitStack() as first_life:
        first = first_life.enter_context(host.node())
        words = ["-b", "fixed", APP, "-o", f"epmd-port={host.epmd_port}", *FROM_VARIABLE]
        with here.session(*words) as session, here.node() as local:
            assert session.ready()["aliases"][0]["dist_port"] == first.dist_port
            assert local.evaluate(CONNECT) == "true"
            first_life.close()
            session.wait_event("link-down")
            with host.node() as second:
                assert local.evaluate(CONNECT) == "true"
                replaced = session.wait_event("target-replaced")
                assert replaced["alias"] == replaced["old_node"] == replaced["node"] == APP
                assert replaced["address"] == "127.0.0.1"
                assert replaced["dist_port"] == second.dist_port != first.dist_port
            session.wait_event("link-down", number=2)
            assert local.evaluate(CONNECT) == "false"
            assert_explained(
                session.wait_event("error"),
                code=69,
                cause="no-node-found",
                says=(f"the epmd at 127.0.0.1:{host.epmd_port} knows no node",),
                advises="Start the node",
            )
            assert session.wait_event("target-lost")["node"] == APP


def test_another_node_on_the_old_port_gets_no_digest() -> None:
    port = free_port()
    with remote_host() as host, machine() as here, ExitStack() as first_life:
        first_life.enter_context(host.node(port=port))
        with (
            here.session(*at(port)) as session,
            here.node() as local,
        ):
            session.ready()
            first_life.close()
            with host.node("other@127.0.0.1", port=port) as other:
                assert local.evaluate(CONNECT) == "false"
                assert_explained(
                    session.wait_event("error"),
                    code=77,
                    cause="another-node",
                    says=(f"{APP} at 127.0.0.1:{port} was expected", "other@127.0.0.1 answers"),
                    advises="Connect again",
                )
                assert "Connection attempt" not in other.process.output
                # Where the user's own words lead there, the alias follows them, and says so.
                assert local.evaluate(CONNECT) == "true"
                assert "calls itself other@127.0.0.1" in session.wait_event("warning")["message"]
                replaced = session.wait_event("target-replaced")
                assert (replaced["old_node"], replaced["node"]) == (APP, other.name)


def test_a_local_node_that_dies_leaves_nothing_at_the_remote_one() -> None:
    port = free_port()
    with (
        remote_host() as host,
        host.node(port=port) as remote,
        machine() as here,
        here.session(*at(port)) as session,
    ):
        session.ready()
        with here.node() as local:
            assert local.evaluate(CONNECT) == "true"
            remote.evaluate("[erlang:monitor_node(Node, true) || Node <- nodes(hidden)].")
            local.kill()
            assert (
                remote.evaluate(
                    "receive {nodedown, _} -> nodes(hidden) after 5000 -> still_up end."
                )
                == "[]"
            )
            assert "local node" in session.wait_event("link-down")["reason"]
        assert port not in {there for _, (_, there) in connections(session.pid)}
