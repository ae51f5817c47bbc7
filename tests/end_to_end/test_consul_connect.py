"""Real nodes that only a real mesh leads to: no epmd, an address that nothing answers at."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
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
    from pathlib import Path

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

    def session(self, *options: str, name: str = LOCAL_NAME) -> ErlconnectSession:
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
    services = None
    with meshed_node(agent), here.session("-o", "transport.mode=native") as session:
        services = agent.services()
        with here.node() as local:
            assert_called_with_64_megabytes(session, local)
        assert agent.services() == services
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
    with meshed_node(agent), upstream_proxy(agent, "web", "shop") as port:
        with here.session("-o", f"transport.upstream=127.0.0.1:{port}") as session:
            with here.node() as local:
                assert_called_with_64_megabytes(session, local)
