"""Nodes of Consul's catalogue: real nodes without epmd, a real agent, the installed command."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from backends.consul.connect.mesh import sidecar
from world.connected import LOCAL_COOKIE, LOCAL_NAME, REMOTE_COOKIE, home_with_cookie
from world.consul import ConsulAgent
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port
from world.session import ErlconnectSession
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE = Path(__file__).parents[2] / "docs" / "backends" / "consul.md"
POLICY = PAGE.read_text().split("```hcl\n")[1].split("```")[0]
COOKIE_KEY = "erlang/cookie"


@pytest.fixture
def agent() -> Iterator[ConsulAgent]:
    with ConsulAgent() as agent:
        yield agent


@pytest.fixture
def guarded() -> Iterator[ConsulAgent]:
    """An agent that denies what no policy allows."""
    with ConsulAgent(acl=True) as agent:
        yield agent


@contextmanager
def shop_node(name: str) -> Iterator[ErlangNode]:
    """Run a node that listens on a port of its own, on 127.0.0.1 alone, and knows no epmd."""
    port = str(free_port())
    interface = ("inet_dist_use_interface", "{127,0,0,1}")
    ports = ("-kernel", "inet_dist_listen_min", port, "inet_dist_listen_max", port, *interface)
    flags = ("-erl_epmd_port", port, *ports)
    with ErlangNode.start(name, epmd_port=free_port(), cookie=REMOTE_COOKIE, flags=flags) as node:
        yield node


def register(agent: ConsulAgent, service_id: str, port: int, **more: object) -> None:
    agent.register({"Name": "shop", "ID": service_id, "Address": "127.0.0.1", "Port": port, **more})


class Here:
    """This machine: a home, an epmd; sessions and local nodes start in it."""

    def __init__(self, folder: Path, epmd: RealEpmd) -> None:
        self.home = home_with_cookie(folder)
        self.epmd_port = epmd.port
        self.stack = ExitStack()

    def session(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> ErlconnectSession:
        return self.stack.enter_context(
            ErlconnectSession.start(
                *arguments,
                epmd_port=self.epmd_port,
                home=self.home,
                environment={"REMOTE": REMOTE_COOKIE, **(environment or {})},
            )
        )

    def call(self, session: ErlconnectSession, expressions: str) -> str:
        """Evaluate at a local node; ``Alias`` is bound to the session's first alias."""
        alias = session.ready()["aliases"][0]["alias"]
        with ErlangNode.start(LOCAL_NAME, epmd_port=self.epmd_port, cookie=LOCAL_COOKIE) as local:
            return local.evaluate(f"Alias = '{alias}', {expressions}")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    with RealEpmd(free_port()) as epmd:
        here = Here(tmp_path, epmd)
        with here.stack:
            yield here


def test_a_registered_service_is_called_by_its_alias(agent: ConsulAgent, here: Here) -> None:
    with shop_node("shop@10.1.2.3") as remote:
        register(agent, "shop-1", remote.dist_port, Tags=["blue"], Meta={"zone": "a"})
        session = here.session(
            "-b", "consul", "shop", "-o", f"address={agent.address}", "--cookie-from", "env:REMOTE"
        )
        assert here.call(session, "net_adm:ping(Alias).") == "pong"
        (alias,) = session.ready()["aliases"]
        up = session.wait_event("link-up")
    assert alias["node"] == up["node"] == "shop@10.1.2.3"
    assert alias["dist_port"] == remote.dist_port
    assert alias["facts"] == {
        "id": "shop-1",
        "service": "shop",
        "tag": "blue",
        "hostname": "node1",
        "datacenter": "dc1",
        "domain": "consul",
        "meta.zone": "a",
    }


def test_an_instance_that_fails_its_check_is_left_alone(agent: ConsulAgent, here: Here) -> None:
    with shop_node("ill@127.0.0.1") as ill, shop_node("well@127.0.0.1") as well:
        register(agent, "shop-1", ill.dist_port, Check={"Name": "beat", "TTL": "1h"})
        register(agent, "shop-2", well.dist_port)
        session = here.session(
            "-b", "consul", "shop", "-o", f"address={agent.address}", "--cookie-from", "env:REMOTE"
        )
        assert here.call(session, "erpc:call(Alias, erlang, whereis, [init]) =/= undefined.") == (
            "true"
        )
        assert session.ready()["aliases"][0]["node"] == "well@127.0.0.1"
        assert ill.evaluate("nodes(connected).") == "[]"
        assert session.interrupt() == 130
    assert [event for event in session.events if event["event"] == "warning"] == []


@pytest.mark.parametrize(
    ("name", "service_id", "template"),
    [
        ("shop@10.0.0.9", "shop@10.0.0.9", "{id}"),
        ("blue@shop.service.consul", "shop-1", "{tag}@{service}.service.{domain}"),
        ("web@127.0.0.1", "shop-1", "web@{ip}"),
        ("shop@pod-7.example", "shop-1", "shop@{meta.pod}.example"),
    ],
)
def test_every_custom_of_naming_nodes_is_a_template(
    agent: ConsulAgent, here: Here, name: str, service_id: str, template: str
) -> None:
    with shop_node(name) as remote:
        register(agent, service_id, remote.dist_port, Tags=["blue", "v1"], Meta={"pod": "pod-7"})
        session = here.session(
            *("-b", "consul", "shop", "-o", f"node={template}", "--cookie-from", "env:REMOTE"),
            environment={"CONSUL_HTTP_ADDR": agent.address},
        )
        assert session.ready()["aliases"][0]["node"] == name
        assert session.interrupt() == 130
    # A template that comes to another name than the node's own is a warning.
    assert [event["event"] for event in session.events] == ["ready", "stopped"]


def test_a_token_with_the_documented_policy_finds_the_node_and_its_cookie(
    guarded: ConsulAgent, here: Here, tmp_path: Path
) -> None:
    token = guarded.token_for(POLICY)
    (tmp_path / "token").write_text(f"{token}\n")
    guarded.kv_put(COOKIE_KEY, f"{REMOTE_COOKIE}\n")
    with shop_node("shop@127.0.0.1") as remote:
        register(guarded, "shop-1", remote.dist_port)
        session = here.session(
            *("-b", "consul", "shop", "-o", f"address={guarded.address}", "-v"),
            *("-o", f"token-file={tmp_path / 'token'}", "-o", f"cookie-key={COOKIE_KEY}"),
        )
        assert here.call(session, "net_adm:ping(Alias).") == "pong"
        assert session.ready()["cookie_source"] == "consul-kv"
        assert session.interrupt() == 130
    warnings = [event["message"] for event in session.events if event["event"] == "warning"]
    assert warnings == [f"a newline at the end of the key {COOKIE_KEY} was left out"]
    assert token not in session.process.output
    assert REMOTE_COOKIE not in session.process.output


def test_the_cookie_source_works_with_another_backend(guarded: ConsulAgent, here: Here) -> None:
    guarded.kv_put(COOKIE_KEY, REMOTE_COOKIE)
    with shop_node("shop@127.0.0.1") as remote:
        session = here.session(
            *("-b", "fixed", remote.name, "-o", f"dist-port={remote.dist_port}"),
            *("--cookie-from", f"consul-kv:{COOKIE_KEY}"),
            *("-o", f"cookie.address={guarded.address}"),
            environment={"CONSUL_HTTP_TOKEN": guarded.token_for(POLICY)},
        )
        assert here.call(session, "net_adm:ping(Alias).") == "pong"


def test_a_token_without_rights_is_refused_and_not_shown(guarded: ConsulAgent, here: Here) -> None:
    register(guarded, "shop-1", 25_000)
    token = guarded.token_for('key "other" { policy = "read" }')
    session = here.session(
        *("-b", "consul", "shop", "-o", f"address={guarded.address}", "-v"),
        environment={"CONSUL_HTTP_TOKEN": token},
    )
    error = session.wait_event("error", 30)
    assert session.wait() == error["code"] == 77
    assert error["cause"] == "refused"
    assert "the token may see nothing; the service may exist" in error["message"]
    assert 'service "shop" { policy = "read" }' in error["remedy"]
    assert token not in session.process.output


def test_a_key_that_the_token_may_not_read_ends_the_session(
    guarded: ConsulAgent, here: Here
) -> None:
    with shop_node("shop@127.0.0.1") as remote:
        register(guarded, "shop-1", remote.dist_port)
        session = here.session(
            *("-b", "consul", "shop", "-o", f"address={guarded.address}"),
            *("-o", "cookie-key=erlang/other"),
            environment={"CONSUL_HTTP_TOKEN": guarded.token_for(POLICY)},
        )
        error = session.wait_event("error", 30)
        assert session.wait() == error["code"] == 77
    assert "Permission denied" in error["message"]
    assert 'key "erlang/other" { policy = "read" }' in error["remedy"]


def test_consuls_own_dns_leads_to_the_node_too(agent: ConsulAgent, here: Here) -> None:
    with shop_node("shop@127.0.0.1") as remote:
        register(agent, "shop-1", remote.dist_port)
        session = here.session(
            *("-b", "dns", "shop.service.consul", "-o", f"server=127.0.0.1:{agent.dns_port}"),
            *("-o", "tcp=true", "-o", "node=shop@{ip}", "--cookie-from", "env:REMOTE"),
        )
        assert here.call(session, "net_adm:ping(Alias).") == "pong"
        assert session.ready()["aliases"][0]["dist_port"] == remote.dist_port


def test_a_service_that_only_the_mesh_leads_to_needs_no_further_setting(
    agent: ConsulAgent, here: Here
) -> None:
    """Nobody listens at the address of its registration, so its sidecar is next."""
    with (
        shop_node("shop@127.0.0.99") as remote,
        sidecar(agent, "shop", remote.dist_port, address="127.0.0.99"),
    ):
        session = here.session(
            *("-b", "consul", "shop", "-o", f"address={agent.address}"),
            *("--cookie-from", "env:REMOTE"),
        )
        assert here.call(session, "net_adm:ping(Alias).") == "pong"
        assert session.ready()["transport"] == "consul-connect"
        (alias,) = session.ready()["aliases"]
    assert alias["node"] == "shop@127.0.0.99"


def test_an_instance_that_leaves_the_list_is_not_dialled_again(
    agent: ConsulAgent, here: Here
) -> None:
    """Though the old node still runs and would answer: the list is kept fresh while it is used."""
    with shop_node("shop@10.0.0.1") as old, shop_node("shop@10.0.0.2") as new:
        register(agent, "shop-1", old.dist_port)
        session = here.session(
            "-b", "consul", "shop", "-o", f"address={agent.address}", "--cookie-from", "env:REMOTE"
        )
        assert session.ready()["aliases"][0]["node"] == "shop@10.0.0.1"
        register(agent, "shop-2", new.dist_port)
        agent.deregister("shop-1")

        def moved_on() -> bool:
            here.call(session, "net_adm:ping(Alias).")
            return any(event["event"] == "target-replaced" for event in session.events)

        wait_until(moved_on, "the alias stands for the new instance", 30)
        replaced = session.wait_event("target-replaced")
        assert (replaced["old_node"], replaced["node"]) == ("shop@10.0.0.1", "shop@10.0.0.2")
        assert here.call(session, "erpc:call(Alias, init, get_argument, [name]).") == (
            '{ok,[["shop@10.0.0.2"]]}'
        )


def aliases(ready: Mapping[str, Any]) -> list[str]:
    return [one["alias"] for one in ready["aliases"]]


def test_all_instances_come_and_go_as_consul_says(agent: ConsulAgent, here: Here) -> None:
    agent.kv_put(COOKIE_KEY, REMOTE_COOKIE)
    with shop_node("shop@127.0.0.1") as first, shop_node("shop@127.0.0.2") as second:
        register(agent, "shop-a", first.dist_port)
        words = ("-b", "consul", "shop", "--all", "-o", "look-again=3600")
        source = ("--cookie-from", f"consul-kv:{COOKIE_KEY}")
        session = here.session(*words, *source, environment=agent.environment())
        assert aliases(session.ready()) == ["shop@127.0.0.1"]

        register(agent, "shop-b", second.dist_port)
        ready = session.wait_event("ready", 30, number=2)
        assert aliases(ready) == ["shop@127.0.0.1", "shop-2@127.0.0.1"]
        both = "['shop@127.0.0.1', 'shop-2@127.0.0.1']"
        called = here.call(session, f"erpc:multicall({both}, erlang, node, []).")
        assert called == "[{ok,'shop@127.0.0.1'},{ok,'shop-2@127.0.0.1'}]"

        agent.deregister("shop-a")
        lost = session.wait_event("target-lost", 30)
        assert (lost["alias"], lost["node"]) == ("shop@127.0.0.1", "shop@127.0.0.1")
