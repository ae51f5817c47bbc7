"""Connections through Consul's own upstream proxy: one that the session runs, and a running one."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from backends.consul.connect.mesh import sidecar, upstream_proxy
from backends.consul.connect.opening import answered, dialled, target, transport
from world.consul import ConsulAgent
from world.listeners import echo, listening
from world.ports import free_port

from erlconnect.api import ConfigurationError, RefusedError, UnreachableError
from erlconnect.testing import check_transport

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def program(agent: ConsulAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ``consul`` program be found."""
    monkeypatch.setenv("PATH", agent.environment()["PATH"])


def proxies(word: bytes) -> Iterator[int]:
    """The ids of the proxies that have an argument which begins with ``word``."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"sh" not in words[0].split(b"/") and any(one.startswith(word) for one in words):
            yield int(path.parent.name)


async def test_an_own_proxy_passes_the_conformance_kit(agent: ConsulAgent) -> None:
    with listening(echo) as port, sidecar(agent, "kit", port):
        way = transport(agent, "kit", mode="proxy")
        await check_transport(way, target(port), port=port, closed_port=free_port())


async def test_an_upstream_passes_the_conformance_kit(agent: ConsulAgent) -> None:
    with (
        listening(echo) as port,
        sidecar(agent, "kit2", port),
        upstream_proxy(agent, "web", "kit2") as upstream,
    ):
        way = transport(agent, "kit2", upstream=f"127.0.0.1:{upstream}")
        await check_transport(way, target(port), port=port, closed_port=free_port())


async def test_an_own_proxy_registers_nothing_and_ends_with_the_transport(
    agent: ConsulAgent,
) -> None:
    with listening(echo) as port, sidecar(agent, "tidy", port):
        services, checks = agent.services(), agent.request("GET", "/agent/checks")
        async with dialled(agent, "tidy", port, mode="proxy") as (_, stream):
            assert await answered(stream, b"here?") == b"here?"
            assert len([*proxies(b"tidy:")]) == 1
            assert agent.services() == services
            assert agent.request("GET", "/agent/checks") == checks
        assert [*proxies(b"tidy:")] == []


async def test_the_exit_of_an_own_proxy_is_explained(agent: ConsulAgent) -> None:
    with listening(echo) as port, sidecar(agent, "brittle", port):
        async with transport(agent, "brittle", mode="proxy").open(target(port)) as dialer:
            with await dialer.dial(port) as stream:
                assert await answered(stream, b"here?") == b"here?"
                (proxy,) = proxies(b"brittle:")
                os.kill(proxy, signal.SIGKILL)
                assert await answered(stream, b"") == b""
                assert "the own proxy (`consul connect proxy`) has ended" in (
                    await dialer.why_ended(stream)
                )
            with pytest.raises(UnreachableError, match=r"the own proxy .* has ended"):
                await dialer.dial(port)


@pytest.mark.parametrize("mode", ["proxy", "upstream"])
async def test_a_denial_is_told_within_two_seconds(agent: ConsulAgent, mode: str) -> None:
    upstream = free_port()
    agent.intention("erlconnect", f"no-{mode}", "deny")
    with (
        listening(echo) as port,
        sidecar(agent, f"no-{mode}", port),
        sidecar(agent, "erlconnect", free_port(), upstreams=[(f"no-{mode}", upstream)]),
    ):
        async with transport(agent, f"no-{mode}", mode=mode).open(target(port)) as dialer:
            begin = time.monotonic()
            with pytest.raises(RefusedError, match=f"do not let erlconnect connect to no-{mode}"):
                await dialer.dial(port)
            assert time.monotonic() - begin < 2


async def test_an_upstream_whose_source_is_unknown_says_what_may_be(agent: ConsulAgent) -> None:
    agent.intention("web", "mute", "deny")
    with (
        listening(echo) as port,
        sidecar(agent, "mute", port),
        upstream_proxy(agent, "web", "mute") as upstream,
    ):
        chosen = {"upstream": f"127.0.0.1:{upstream}"}
        async with dialled(agent, "mute", port, **chosen) as (dialer, stream):
            assert await answered(stream, b"here?") == b""
            assert "or an intention denies it" in await dialer.why_ended(stream)
        with pytest.raises(RefusedError, match="do not let web connect to mute"):
            async with dialled(agent, "mute", port, **chosen, source="web"):
                pass


async def test_an_upstream_needs_no_agent() -> None:
    with ConsulAgent() as agent, listening(echo) as port:
        agent.stop()
        async with dialled(agent, "", port, upstream=f"localhost:{port}") as (_, stream):
            assert await answered(stream, b"here?") == b"here?"


async def test_an_upstream_where_nobody_listens(agent: ConsulAgent) -> None:
    port = free_port()
    with pytest.raises(
        UnreachableError, match=f"upstream to app at 127.0.0.1:{port} could not be reached: conn"
    ):
        async with dialled(agent, "app", 4444, upstream=f"127.0.0.1:{port}"):
            pass


async def test_the_sidecar_of_a_named_service_is_taken(agent: ConsulAgent) -> None:
    one, other = free_port(), free_port()
    with (
        listening(echo) as port,
        sidecar(agent, "shared", port),
        sidecar(agent, "web1", free_port(), upstreams=[("shared", one)]),
        sidecar(agent, "web2", free_port(), upstreams=[("shared", other)]),
    ):
        for name, expected in (("web1", one), ("web2", other)):
            async with dialled(agent, "shared", port, upstream=name) as (_, stream):
                assert stream.getpeername() == ("127.0.0.1", expected)
        with pytest.raises(UnreachableError, match="no sidecar of web3 on this machine"):
            async with dialled(agent, "shared", port, upstream="web3"):
                pass


async def test_a_registered_upstream_that_nobody_serves_is_passed_over(
    agent: ConsulAgent,
) -> None:
    upstream = free_port()
    with (
        listening(echo) as port,
        sidecar(agent, "lonely", port),
        sidecar(agent, "web3", free_port(), upstreams=[("lonely", upstream)]) as proxy,
    ):
        proxy.kill()
        async with dialled(agent, "lonely", port) as (_, stream):
            assert stream.family == socket.AF_UNIX  # native: TLS behind a socketpair
        with pytest.raises(UnreachableError, match="nobody listens at the upstream"):
            async with dialled(agent, "lonely", port, mode="upstream"):
                pass


async def test_an_error_says_which_way_was_taken_and_why(agent: ConsulAgent) -> None:
    port = free_port()
    with sidecar(agent, "silent", port), pytest.raises(UnreachableError) as caught:
        async with dialled(agent, "silent", port):
            pass
    assert caught.value.message.endswith(
        "(consul-connect, mode native because no sidecar on this machine has an upstream to it)"
    )


async def test_no_program_for_an_own_proxy(
    agent: ConsulAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    with pytest.raises(ConfigurationError, match="no program 'consul'"):
        async with dialled(agent, "app", 4444, mode="proxy"):
            pass


async def test_a_named_upstream_is_known_by_its_registration(agent: ConsulAgent) -> None:
    upstream = free_port()
    agent.intention("web4", "shy", "deny")
    with (
        listening(echo) as port,
        sidecar(agent, "shy", port),
        sidecar(agent, "web4", free_port(), upstreams=[("shy", upstream)]),
        pytest.raises(RefusedError, match="do not let web4 connect to shy"),
    ):
        async with dialled(agent, "shy", port, upstream=f"localhost:{upstream}"):
            pass
