"""Real nodes that only a real mesh leads to: no epmd, an address that nothing answers at."""

from __future__ import annotations

import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from consul_connect.mesh import sidecar, upstream_proxy
from world.connected import LOCAL_COOKIE, LOCAL_NAME, REMOTE_COOKIE, home_with_cookie
from world.consul import ConsulAgent
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port
from world.session import ErlconnectSession
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of documentation (RFC 5737): nobody can be reached there but through the mesh.
ADDRESS = "192.0.2.10"
NODE = "shop@192.0.2.10"


@pytest.fixture
def agent() -> Iterator[ConsulAgent]:
    with ConsulAgent(keep=True) as running:
        yield running


@contextmanager
def meshed_node(agent: ConsulAgent) -> Iterator[ErlangNode]:
    """Run a node that knows no epmd, registered as ``shop`` with a sidecar."""
    port = str(free_port())
    ports = ("-kernel", "inet_dist_listen_min", port, "inet_dist_listen_max", port)
    with (
        ErlangNode.start(
            NODE,
            epmd_port=free_port(),
            cookie=REMOTE_COOKIE,
            flags=("-erl_epmd_port", port, *ports),
        ) as node,
        sidecar(agent, "shop", node.dist_port, address=ADDRESS),
    ):
        yield node


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """This machine: a home and an epmd."""

    agent: ConsulAgent
    home: Path
    epmd_port: int

    def session(self, *options: str) -> ErlconnectSession:
        return ErlconnectSession.start(
            *("-b", "consul", "shop", "--cookie-from", "env:REMOTE"),
            *("--transport", "consul-connect", "-o", "transport.destination=shop"),
            *options,
            epmd_port=self.epmd_port,
            home=self.home,
            environment={"REMOTE": REMOTE_COOKIE, **self.agent.environment()},
        )

    def node(self, name: str = LOCAL_NAME) -> ErlangNode:
        return ErlangNode.start(name, epmd_port=self.epmd_port, cookie=LOCAL_COOKIE)


@pytest.fixture
def here(tmp_path: Path, agent: ConsulAgent) -> Iterator[Here]:
    with RealEpmd(free_port()) as epmd:
        yield Here(agent=agent, home=home_with_cookie(tmp_path), epmd_port=epmd.port)


def call(session: ErlconnectSession, local: ErlangNode, expressions: str) -> str:
    """Evaluate at ``local``; ``Alias`` is bound to the session's alias."""
    alias = session.ready()["aliases"][0]["alias"]
    return local.evaluate(f"Alias = '{alias}', {expressions}", 60)


def assert_called_with_64_megabytes(session: ErlconnectSession, local: ErlangNode) -> None:
    assert call(session, local, "net_adm:ping(Alias).") == "pong"
    echoed = "Sent = rand:bytes(64 bsl 20), erpc:call(Alias, erlang, hd, [[Sent]]) =:= Sent."
    assert call(session, local, echoed) == "true"
    assert session.wait_event("link-up")["node"] == NODE


def test_natively(agent: ConsulAgent, here: Here) -> None:
    with meshed_node(agent), here.session("-o", "transport.mode=native") as session:
        services = agent.services()
        with here.node() as local:
            assert_called_with_64_megabytes(session, local)
        assert session.interrupt() == 130
        assert agent.services() == services


def test_through_an_own_proxy(agent: ConsulAgent, here: Here) -> None:
    with meshed_node(agent):
        services = agent.services()
        with here.session("-o", "transport.mode=proxy") as session:
            with here.node() as local:
                assert_called_with_64_megabytes(session, local)
            assert agent.services() == services
            assert session.interrupt() == 130
        assert agent.services() == services


def test_through_an_upstream_of_the_user(agent: ConsulAgent, here: Here) -> None:
    with (
        meshed_node(agent),
        upstream_proxy(agent, "web", "shop") as port,
        here.session("-o", f"transport.upstream=127.0.0.1:{port}") as session,
        here.node() as local,
    ):
        assert_called_with_64_megabytes(session, local)


def test_through_the_upstream_of_a_sidecar_that_is_found(agent: ConsulAgent, here: Here) -> None:
    port = free_port()
    agent.intention("erlconnect", "shop", "deny")
    with meshed_node(agent), sidecar(agent, "web", free_port(), upstreams=[("shop", port)]):
        registered = agent.services()
        with here.session() as session, here.node() as local:
            assert call(session, local, "net_adm:ping(Alias).") == "pong"
            agent.intention("web", "shop", "deny")
            assert call(session, local, "net_adm:ping(Alias).") == "pong"
            assert session.interrupt() == 130
        assert agent.services() == registered


@pytest.mark.parametrize("mode", ["native", "proxy"])
def test_an_intention_that_denies_is_named_at_once(
    agent: ConsulAgent, here: Here, mode: str
) -> None:
    agent.intention("erlconnect", "shop", "deny")
    with meshed_node(agent):
        with here.session("-o", f"transport.mode={mode}") as session:
            error = session.wait_event("error", 20)
            assert session.wait() == error["code"] == 77
        assert error["cause"] == "refused"
        assert "intentions do not let erlconnect connect to shop" in error["message"]
        assert "consul intention create -allow erlconnect shop" in error["remedy"]
        agent.intention("erlconnect", "shop", "allow")
        with here.session("-o", f"transport.mode={mode}") as session, here.node() as local:
            assert call(session, local, "net_adm:ping(Alias).") == "pong"


def test_a_denial_under_a_link_leaves_it_and_refuses_the_next(
    agent: ConsulAgent, here: Here
) -> None:
    with meshed_node(agent), here.session() as session, here.node() as local:
        assert call(session, local, "net_adm:ping(Alias).") == "pong"
        agent.intention("erlconnect", "shop", "deny")
        assert call(session, local, "erpc:call(Alias, erlang, '+', [1, 2]).") == "3"
        with here.node("late@127.0.0.1") as late:
            assert call(session, late, "net_adm:ping(Alias).") == "pang"
            error = session.wait_event("error", 5)
        assert error["local_node"] == "late@127.0.0.1"
        assert "intentions do not let erlconnect connect to shop" in error["message"]
        agent.intention("erlconnect", "shop", "allow")
        with here.node("later@127.0.0.1") as later:
            assert call(session, later, "net_adm:ping(Alias).") == "pong"
        assert call(session, local, "erpc:call(Alias, erlang, '+', [1, 3]).") == "4"
        assert_never_down(session)


@pytest.mark.parametrize("mode", ["native", "proxy"])
def test_an_agent_that_restarts_under_a_link(agent: ConsulAgent, here: Here, mode: str) -> None:
    with (
        meshed_node(agent),
        here.session("-o", f"transport.mode={mode}") as session,
        here.node() as local,
    ):
        assert call(session, local, "net_adm:ping(Alias).") == "pong"
        agent.stop()
        assert call(session, local, "erpc:call(Alias, erlang, '+', [1, 2]).") == "3"
        with here.node("meanwhile@127.0.0.1") as other:
            # Sidecars judge with the agent's help, and deny without it.
            assert call(session, other, "net_adm:ping(Alias).") == "pang"
            assert session.wait_event("error", 5)["local_node"] == "meanwhile@127.0.0.1"
        agent.restart()
        assert call(session, local, "erpc:call(Alias, erlang, '+', [1, 3]).") == "4"
        with here.node("after@127.0.0.1") as after:
            assert call(session, after, "net_adm:ping(Alias).") == "pong"
        assert_never_down(session)


def test_a_new_certificate_authority_under_a_link(agent: ConsulAgent, here: Here) -> None:
    with meshed_node(agent), here.session() as session, here.node() as local:
        assert call(session, local, "net_adm:ping(Alias).") == "pong"
        before = certificate_of(agent)
        rotate(agent)
        # Consul spreads new leaves over half a minute.
        wait_until(lambda: certificate_of(agent) != before, "the leaf is new", 60)
        assert call(session, local, "erpc:call(Alias, erlang, '+', [1, 2]).") == "3"
        with here.node("later@127.0.0.1") as later:
            assert call(session, later, "net_adm:ping(Alias).") == "pong"
        assert_never_down(session)


def test_kill_leaves_neither_registration_nor_proxy(agent: ConsulAgent, here: Here) -> None:
    with meshed_node(agent):
        services, checks = agent.services(), agent.request("GET", "/agent/checks")
        with here.session("-o", "transport.mode=proxy") as session, here.node() as local:
            assert call(session, local, "net_adm:ping(Alias).") == "pong"
            (guard,) = children(session.pid)
            family = [guard, *children(guard)]
            assert len(family) == 3  # the proxy, and the one who waits for our end
            session.process.signal(signal.SIGKILL)
            wait_until(lambda: not any(map(alive, family)), "the proxy is gone")
        assert agent.services() == services
        assert agent.request("GET", "/agent/checks") == checks


def assert_never_down(session: ErlconnectSession) -> None:
    """The first local node's link came up once and stays."""
    downs = [event for event in session.events if event["event"] == "link-down"]
    assert LOCAL_NAME not in [event["local_node"] for event in downs]


def certificate_of(agent: ConsulAgent) -> str:
    """The present leaf of the session's source."""
    return str(agent.request("GET", "/agent/connect/ca/leaf/erlconnect")["CertPEM"])


def rotate(agent: ConsulAgent) -> None:
    """Have Consul's CA make a new key for itself, and new leaves with it."""
    made = subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"],
        capture_output=True,
        text=True,
        check=True,
    )
    configuration = agent.request("GET", "/connect/ca/configuration")
    configuration["Config"]["PrivateKey"] = made.stdout
    agent.request("PUT", "/connect/ca/configuration", configuration)


def children(pid: int) -> list[int]:
    """The children of a process that has one thread that starts any."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for task in tasks for word in task.read_text().split()]


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text()
