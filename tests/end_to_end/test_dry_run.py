"""``--dry-run``: the whole plan, from a real catalogue, and not one step of it."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from configuration.homes import write
from end_to_end.evidence import COMMAND, assert_no_secret
from end_to_end.machine import Machine, machine
from world.connected import REMOTE_COOKIE
from world.consul import ConsulAgent
from world.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    with ConsulAgent() as agent:
        yield agent


@pytest.fixture
def nodes(agent: ConsulAgent) -> Iterator[list[socket.socket]]:
    """Two instances of a service, which would notice anybody who dials."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        for number, listener in enumerate(listeners):
            place = {"Address": "127.0.0.1", "Port": listener.getsockname()[1]}
            agent.register({"Name": "shop", "ID": f"shop-{number}", **place})
        agent.kv_put("erlang/cookie", REMOTE_COOKIE)
        yield listeners


@pytest.fixture
def here(agent: ConsulAgent) -> Iterator[Machine]:
    with machine(epmd=False, cookie=None) as one:
        write(
            one.home / ".config" / "erlconnect" / "config.toml",
            f"""
            [profiles.staging]
            backend = "consul"
            confirm = true
            cookie = {{ from = "command", command = "touch {one.home}/fetched" }}
            [profiles.staging.consul]
            address = "{agent.address}"
            basename = "shop"
            [profiles.staging.services.other]
            target = "shop"
            cookie = {{ from = "consul-kv", key = "erlang/cookie" }}
            transport = {{ name = "command", command = "ssh -W %h:%p bastion" }}
            dist-port = 9100
            """,
        )
        yield one


def test_the_plan_for_people(here: Machine, nodes: list[socket.socket]) -> None:
    first, second = (listener.getsockname()[1] for listener in nodes)
    words = ["staging/shop", "staging/other", "--dry-run"]
    with Process([COMMAND, *words], environment=here.environment()) as process:
        assert process.wait(30) == 0
        lines = [line.partition(", id ")[0] for line in process.stdout.splitlines()]
        assert lines == [
            "shop in the profile staging, by consul:",
            f"  shop@127.0.0.1 at 127.0.0.1, port {first}",
            "    by direct, cookie from command",
            f"  shop@127.0.0.1 at 127.0.0.1, port {second}",
            "    by direct, cookie from command",
            "shop in the profile staging, by consul:",
            "  shop@127.0.0.1 at 127.0.0.1, port 9100",
            "    by command, cookie from consul-kv",
            "  shop@127.0.0.1 at 127.0.0.1, port 9100",
            "    by command, cookie from consul-kv",
        ]
        assert process.stderr == ""
        assert_no_secret(process.output)
    assert_nobody_came(nodes)


def test_the_plan_for_programs(here: Machine, nodes: list[socket.socket]) -> None:
    words = ["staging/shop", "--dry-run", "--json", "--no-input"]
    with Process([COMMAND, *words], environment=here.environment()) as process:
        assert process.wait(30) == 0
        planned = json.loads(process.stdout)
        assert [planned[key] for key in ("schema", "event", "service", "profile", "backend")] == [
            *(1, "plan", "shop", "staging", "consul"),
        ]
        assert [one["dist_port"] for one in planned["targets"]] == [
            listener.getsockname()[1] for listener in nodes
        ]
        [one, _] = planned["targets"]
        assert (one["transports"], one["cookie_sources"]) == (["direct"], ["command"])
        assert one["facts"]["id"] == "shop-0"
    assert_nobody_came(nodes)


def test_no_cookie_is_fetched_and_none_is_made(here: Machine, nodes: list[socket.socket]) -> None:
    words = ["staging/shop", "--dry-run"]
    with Process([COMMAND, *words], environment=here.environment()) as process:
        assert process.wait(30) == 0
    assert sorted(path.name for path in here.home.iterdir()) == [".config"]
    assert nodes


def test_a_mistake_in_what_would_be_used_shows(here: Machine, nodes: list[socket.socket]) -> None:
    words = ["staging/shop", "--dry-run", "-o", "transport.hots=x"]
    with Process([COMMAND, *words], environment=here.environment()) as process:
        assert process.wait(30) == 2
        assert "'direct' has no such setting" in process.stderr
    assert nodes


def test_a_lookup_that_fails_is_an_error(here: Machine, nodes: list[socket.socket]) -> None:
    words = ["-p", "staging", "shoop", "--dry-run", "--json"]
    with Process([COMMAND, *words], environment=here.environment()) as process:
        assert process.wait(30) == 69
        assert json.loads(process.stdout)["cause"] == "name-not-found"
    assert nodes


def assert_nobody_came(listeners: list[socket.socket]) -> None:
    for listener in listeners:
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
