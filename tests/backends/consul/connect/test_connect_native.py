"""The mode ``native``, to Consul's own proxy as the sidecar of a real server."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest
from backends.consul.connect.mesh import natively, register, sidecar
from backends.consul.connect.opening import answered, dialled, target, transport
from world.consul import ConsulAgent
from world.listeners import echo, listening
from world.ports import free_port

from erlconnect.api import LookupFailedError, RefusedError, UnreachableError
from erlconnect.testing import check_transport

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_conformance_kit(agent: ConsulAgent) -> None:
    with listening(echo) as port, sidecar(agent, "kit", port):
        way = transport(agent, "kit", mode="native")
        await check_transport(way, target(port), port=port, closed_port=free_port())


async def test_no_consul_program_is_needed(
    agent: ConsulAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(echo) as port, sidecar(agent, "bare", port):
        monkeypatch.setenv("PATH", os.defpath)
        async with dialled(agent, "bare", port) as (_, stream):
            assert await answered(stream, b"here?") == b"here?"


async def test_each_instance_has_its_own_sidecar(agent: ConsulAgent) -> None:
    with (
        listening(lambda one: one.sendall(b"first")) as first,
        listening(lambda one: one.sendall(b"second")) as second,
        sidecar(agent, "twins", first),
        sidecar(agent, "twins", second),
    ):
        for port, name in ((first, b"first"), (second, b"second")):
            async with dialled(agent, "twins", port, mode="native") as (_, stream):
                assert await answered(stream, b"") == name


async def test_a_denial_is_told_within_two_seconds(agent: ConsulAgent) -> None:
    agent.intention("erlconnect", "secret", "deny")
    with listening(echo) as port, sidecar(agent, "secret", port):
        begin = time.monotonic()
        with pytest.raises(
            RefusedError, match="intentions do not let erlconnect connect to secret"
        ):
            async with dialled(agent, "secret", port, mode="native"):
                pass
        assert time.monotonic() - begin < 2
        async with dialled(agent, "secret", port, mode="native", source="friend") as (_, stream):
            assert await answered(stream, b"here?") == b"here?"


async def test_another_service_in_its_place_is_refused(agent: ConsulAgent) -> None:
    with natively(agent, "thief", echo) as sidecar_port:
        register(agent, "victim", 4444, sidecar_port=sidecar_port)
        with pytest.raises(RefusedError, match=r"proved to be spiffe://.*/svc/thief and not"):
            async with dialled(agent, "victim", 4444, mode="native"):
                pass


async def test_a_certificate_of_another_mesh_is_refused(agent: ConsulAgent) -> None:
    with ConsulAgent() as stranger, natively(stranger, "lost", echo) as sidecar_port:
        register(agent, "lost", 4444, sidecar_port=sidecar_port)
        with pytest.raises(RefusedError, match="a certificate that this mesh does not trust"):
            async with dialled(agent, "lost", 4444, mode="native"):
                pass


async def test_a_sidecar_that_does_not_run(agent: ConsulAgent) -> None:
    gone = free_port()
    register(agent, "gone", 4444, sidecar_port=gone)
    with pytest.raises(
        UnreachableError, match=f"sidecar of gone at 127.0.0.1:{gone} could not be reached: conn"
    ):
        async with dialled(agent, "gone", 4444, mode="native"):
            pass


async def test_a_service_that_does_not_listen_behind_its_sidecar(agent: ConsulAgent) -> None:
    port = free_port()
    with (
        sidecar(agent, "away", port),
        pytest.raises(UnreachableError, match=r"sidecar of away .* ended the TLS handshake"),
    ):
        async with dialled(agent, "away", port, mode="native"):
            pass


async def test_a_sidecar_that_dies_is_explained(agent: ConsulAgent) -> None:
    with listening(echo) as port, sidecar(agent, "mortal", port) as proxy:
        async with dialled(agent, "mortal", port, mode="native") as (dialer, stream):
            assert await answered(stream, b"here?") == b"here?"
            assert await dialer.why_ended(stream) == ""
            proxy.kill()
            assert await answered(stream, b"") == b""
            assert (await dialer.why_ended(stream)).startswith("the sidecar of mortal: ")


async def test_a_service_without_a_sidecar(agent: ConsulAgent) -> None:
    agent.register({"Name": "open", "Port": 4444})
    with pytest.raises(UnreachableError, match="Consul knows no sidecar of open"):
        async with dialled(agent, "open", 4444, mode="native"):
            pass


async def test_a_port_that_the_mesh_does_not_lead_to(agent: ConsulAgent) -> None:
    with listening(echo) as port, sidecar(agent, "narrow", port):
        way = transport(agent, "narrow", mode="native")
        for known in (port, None):
            async with way.open(target(known)) as dialer:
                with pytest.raises(UnreachableError, match="port 4369"):
                    await dialer.dial(4369)


async def test_while_the_agent_is_away_the_last_certificate_serves() -> None:
    with ConsulAgent(keep=True) as agent, natively(agent, "steady", echo) as sidecar_port:
        register(agent, "steady", 4444, sidecar_port=sidecar_port)
        async with transport(agent, "steady", mode="native").open(target(4444)) as dialer:
            agent.stop()
            with await dialer.dial(4444) as stream:
                assert await answered(stream, b"here?") == b"here?"


async def test_an_agent_that_was_never_there() -> None:
    with ConsulAgent() as agent:
        agent.stop()
        with pytest.raises(LookupFailedError, match="could not be asked"):
            async with dialled(agent, "app", 4444, mode="native"):
                pass


async def test_a_token_that_may_not_have_the_certificate(tmp_path: Path) -> None:
    with ConsulAgent(acl=True) as agent, listening(echo) as port:
        token = agent.token_for('service_prefix "" { policy = "read" }')
        (tmp_path / "token").write_text(token)
        register(agent, "app", port, sidecar_port=free_port())
        with pytest.raises(RefusedError, match="a certificate of erlconnect") as refused:
            async with dialled(agent, "app", port, token_file=str(tmp_path / "token")):
                pass
    assert 'service "erlconnect" { policy = "write" }' in refused.value.remedy
    assert token not in f"{refused.value.message}{refused.value.remedy}"


# What docs/consul-connect.md says.
POLICY = """
service "erlconnect" { policy = "write" }
service "app" { policy = "read", intentions = "read" }
service "app-sidecar-proxy" { policy = "read" }
node_prefix "" { policy = "read" }
"""


@pytest.mark.parametrize("mode", ["native", "proxy"])
async def test_the_documented_policy_suffices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    with ConsulAgent(acl=True) as agent, listening(echo) as port, sidecar(agent, "app", port):
        monkeypatch.setenv("PATH", agent.environment()["PATH"])
        (tmp_path / "token").write_text(agent.token_for(POLICY))
        chosen = {"token_file": str(tmp_path / "token"), "mode": mode}
        # With ACLs that deny by default, so do intentions.
        with pytest.raises(RefusedError, match="do not let erlconnect connect to app"):
            async with dialled(agent, "app", port, **chosen):
                pass
        agent.intention("erlconnect", "app", "allow")
        async with dialled(agent, "app", port, **chosen) as (_, stream):
            assert await answered(stream, b"here?") == b"here?"
