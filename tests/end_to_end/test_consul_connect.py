"""Real nodes that only a real mesh leads to: no epmd, an address that nothing answers at."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest
from backends.consul.connect.mesh import sidecar, upstream_proxy
from backends.consul.connect.meshed import (
    Here,
    alive,
    assert_called_with_64_megabytes,
    assert_never_down,
    call,
    certificate_of,
    children,
    meshed_node,
    rotate,
)
from world.connected import home_with_cookie
from world.consul import ConsulAgent
from world.epmd import RealEpmd
from world.ports import free_port
from world.waiting import wait_until

from erlconnect.session.connector import PROBE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def agent() -> Iterator[ConsulAgent]:
    with ConsulAgent(keep=True) as running:
        yield running


@pytest.fixture
def here(tmp_path: Path, agent: ConsulAgent) -> Iterator[Here]:
    with RealEpmd(free_port()) as epmd:
        yield Here(agent=agent, home=home_with_cookie(tmp_path), epmd_port=epmd.port)


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


def test_nobody_goes_around_an_intention_that_denies(agent: ConsulAgent, here: Here) -> None:
    """The mesh comes first where there is one, and its no is not asked of another way."""
    agent.intention("erlconnect", "shop", "deny")
    with meshed_node(agent), here.session() as session:
        began = time.monotonic()
        error = session.wait_event("error", 20)
        assert time.monotonic() - began < PROBE_SECONDS
        assert "intentions do not let erlconnect connect to shop" in error["message"]
        assert "direct" not in session.process.output


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
