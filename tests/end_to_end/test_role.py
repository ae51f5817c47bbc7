"""The policy that a doctor prints suffices, and nothing of it can be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.examined import Ended, run
from end_to_end.machine import machine
from pages import blocks, page
from world.connected import REMOTE_COOKIE, remote_node
from world.consul import ConsulAgent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode

KEY = "erlang/cookie"


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    with ConsulAgent(acl=True) as agent:
        yield agent


@pytest.fixture(scope="module")
def remote(agent: ConsulAgent) -> Iterator[ErlangNode]:
    with remote_node("shop@127.0.0.1") as node:
        place = {"Address": "127.0.0.1", "Port": node.dist_port}
        agent.register({"Name": "shop", "ID": "shop-1", **place})
        agent.kv_put(KEY, REMOTE_COOKIE)
        yield node


def policy(here: Machine) -> str:
    ended = run(here, "doctor", "-b", "consul", "shop", "-o", f"cookie-key={KEY}", "--role")
    assert (ended.code, ended.stderr) == (0, "")
    return ended.stdout


def pinged(here: Machine, agent: ConsulAgent, rules: str) -> Ended:
    token = {"CONSUL_HTTP_TOKEN": agent.token_for(rules), "CONSUL_HTTP_ADDR": agent.address}
    words = ["-b", "consul", "shop", "-o", f"cookie-key={KEY}", "--json"]
    return run(here, "ping", *words, environment=token)


def test_it_is_the_policy_of_the_documentation() -> None:
    with machine(epmd=False) as here:
        assert policy(here) == blocks(page("backends/consul.md"), "hcl")[0]


def test_it_suffices(agent: ConsulAgent, remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        ended = pinged(here, agent, policy(here))
        assert ended.code == 0, ended.stdout
        assert ended.of("pong")[0]["node"] == remote.name
        assert ended.of("pong")[0]["cookie_source"] == "consul-kv"


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_each_rule_is_needed(agent: ConsulAgent, remote: ErlangNode, left_out: int) -> None:
    with machine(epmd=False) as here:
        rules = policy(here).splitlines()
        assert len(rules) == 3
        del rules[left_out]
        assert pinged(here, agent, "\n".join(rules)).code != 0


def test_a_cookie_source_that_was_named_adds_its_rule() -> None:
    with machine(epmd=False) as here:
        words = ["-b", "consul", "shop", "--cookie-from", f"consul-kv:{KEY}", "--role"]
        ended = run(here, "doctor", *words)
        assert ended.stdout == blocks(page("backends/consul.md"), "hcl")[0]
        (event,) = run(here, "doctor", *words, "--json").events
        assert event == {
            "schema": 1,
            "event": "role",
            "backend": "consul",
            "role": ended.stdout.rstrip("\n"),
        }


def test_a_backend_without_rights_says_so() -> None:
    with machine(epmd=False) as here:
        ended = run(here, "doctor", "-b", "fixed", "shop@10.3.2.1", "--role")
        assert (ended.code, ended.stdout) == (2, "")
        assert "kubernetes, consul" in ended.stderr
