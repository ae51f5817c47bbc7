"""The sessions that the documentation shows, each in a world of its own with real peers."""

from __future__ import annotations

import os
import shlex
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consul_connect.mesh import sidecar
from end_to_end.directory import real_directory
from end_to_end.evidence import COMMAND, WRONG_COOKIE
from end_to_end.machine import VARIABLE, alias_of, machine
from end_to_end.test_consul import register, shop_node
from end_to_end.test_railway import railway_network
from end_to_end.test_shell import node_with_elixir
from recordings.recorder import Recording
from world.connected import REMOTE_COOKIE, remote_node
from world.consul import ConsulAgent
from world.kubernetes.api import KubernetesApi
from world.kubernetes.data_manifests import secret
from world.kubernetes.deployments import ErlangDeployment, Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# The last of the lines that people copy, when all of them are on the screen.
_READY: Final = "'erlang node []'"
_SOURCE: Final = f"env:{VARIABLE}"
_COOKIE: Final = f"--cookie-from {_SOURCE}"


@contextmanager
def _recording(replaced: Mapping[str, str] | None = None, **variables: str) -> Iterator[Recording]:
    """Record on a machine of its own, which looks on the page as if its epmd were the usual one."""
    with machine() as here:
        environment = {
            **here.environment(),
            **variables,
            "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
        }
        ours = {
            f"ERL_EPMD_PORT={here.epmd_port} ": "",
            f"on port {here.epmd_port}": "on port 4369",
            str(here.home): "~",
        }
        yield Recording(here, environment, {**ours, **(replaced or {})})


def _fixed() -> str:
    with remote_node("app@127.0.0.1") as node, _recording() as recording:
        line = f"erlconnect -b fixed app@127.0.0.1 -o dist-port={node.dist_port} {_COOKIE}"
        with recording.running(line, until=_READY):
            recording.run("erl_call -name app@127.0.0.1 -a 'erlang node []'")
        return recording.text


def _dns() -> str:
    with real_directory() as directory, _recording() as recording:
        server = f"-o server=127.0.0.1:{directory.dns_port}"
        line = f"erlconnect -b dns _epmd._tcp.shop.shop.test {server} {_COOKIE}"
        with recording.running(line, until=_READY):
            recording.run("erl_call -name app@127.0.0.1 -a 'erlang node []'")
        recording.run(f"erlconnect -b dns _epmd._tcp.shoop.shop.test {server} {_COOKIE}")
        return recording.text


def _railway() -> str:
    with railway_network() as network, _recording() as recording:
        server = f"-o server=127.0.0.1:{network.knot.port}"
        line = f"erlconnect -b railway shop -o dist-port=4444 {server} {_COOKIE}"
        with recording.running(line, until=_READY):
            recording.run("erl_call -name shop@127.0.0.1 -a 'erlang node []'")
        return recording.text


def _consul() -> str:
    with ConsulAgent() as agent, shop_node("shop@127.0.0.1") as node:
        more = {"Tags": ["blue"], "Meta": {"zone": "a"}}
        register(agent, "shop-1", node.dist_port, **more)
        agent.request("PUT", "/kv/erlang/cookie", REMOTE_COOKIE.encode())
        with _recording(CONSUL_HTTP_ADDR=agent.address) as recording:
            line = "erlconnect -b consul shop -o cookie-key=erlang/cookie"
            with recording.running(line, until=_READY):
                recording.run("erl_call -name shop@127.0.0.1 -a 'erlang node []'")
            recording.run("erlconnect -b consul shoop -o cookie-key=erlang/cookie")
            return recording.text


def _consul_connect() -> str:
    with (
        ConsulAgent() as agent,
        shop_node("shop@127.0.0.1") as node,
        sidecar(agent, "shop", node.dist_port),
        _recording(CONSUL_HTTP_ADDR=agent.address) as recording,
    ):
        line = f"erlconnect -b consul shop {_COOKIE}"
        with recording.running(line, until=_READY):
            recording.run("erl_call -name shop@127.0.0.1 -a 'erlang node []'")
        agent.intention("erlconnect", "shop", "deny")
        recording.run(line)
        return recording.text


def _kubernetes() -> str:
    source = {"secretKeyRef": {"name": "shop", "key": "cookie"}}
    template = Template(
        cookie=REMOTE_COOKIE,
        env=[{"name": "RELEASE_COOKIE", "valueFrom": source}],
        environment={},
    )
    with KubernetesApi() as api, tempfile.TemporaryDirectory() as folder:
        kubeconfig = api.kubeconfig(Path(folder) / "config", context="eu1", namespace="shop")
        api.objects.put(secret("shop", {"cookie": REMOTE_COOKIE}, namespace="shop"))
        with (
            ErlangDeployment(api.cluster, "shop", template, replicas=2),
            _recording({api.url: "https://eu1.example:6443"}, KUBECONFIG=str(kubeconfig)) as shown,
        ):
            with shown.running("erlconnect -b kubernetes deploy/shop", until=_READY):
                shown.run("erl_call -name shop@127.0.0.1 -a 'erlang node []'")
            shown.run("erlconnect -b kubernetes deploy/shoop")
            return shown.text


def _doctor() -> str:
    with _shop() as (place, recording):
        recording.run(f"erlconnect doctor {place} --cookie-from env:SHOP_COOKIE")
        return recording.text


def _ping() -> str:
    with _shop() as (place, recording):
        recording.run(f"erlconnect ping {place} {_COOKIE}")
        return recording.text


def _targets() -> str:
    with railway_network() as network, _recording() as recording:
        server = f"-o server=127.0.0.1:{network.knot.port}"
        recording.run(f"erlconnect targets -b railway shop -o dist-port=4444 {server}")
        return recording.text


def _shell() -> str:
    with _shop() as (place, recording):
        recording.talk(
            f"erlconnect shell {place} {_COOKIE} --iex",
            ("(shop@127.0.0.1)1>", "node()"),
            ("(shop@127.0.0.1)2>", "Node.list(:hidden)"),
            last="(shop@127.0.0.1)3>",
            leaving=[("3>", "\x03"), ("(a)bort", "a\r")],
        )
        return recording.text


def _status() -> str:
    with _shop() as (place, recording), ExitStack() as stack:
        here = recording.here
        session = stack.enter_context(here.session(*shlex.split(place), "--cookie-from", _SOURCE))
        local = stack.enter_context(here.node())
        alias = alias_of(session.ready())
        assert local.evaluate(f"erpc:call({alias}, erlang, node, []).") == alias
        recording.run("erlconnect status")
        return recording.text


@contextmanager
def _shop() -> Iterator[tuple[str, Recording]]:
    """A node with Elixir, the words that lead to it, and a variable that holds a wrong cookie."""
    with (
        node_with_elixir("shop@127.0.0.1") as node,
        _recording(SHOP_COOKIE=WRONG_COOKIE) as recording,
    ):
        yield f"-b fixed shop@127.0.0.1 -o dist-port={node.dist_port}", recording


SESSIONS: Final[Mapping[str, Callable[[], str]]] = {
    "fixed": _fixed,
    "dns": _dns,
    "railway": _railway,
    "consul": _consul,
    "consul-connect": _consul_connect,
    "kubernetes": _kubernetes,
    "doctor": _doctor,
    "ping": _ping,
    "targets": _targets,
    "shell": _shell,
    "status": _status,
}
