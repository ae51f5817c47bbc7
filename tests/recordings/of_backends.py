"""One session with each backend: found, connected, called, and what a wrong name gets."""

from __future__ import annotations

import tempfile
from pathlib import Path

from backends.consul.connect.mesh import sidecar
from end_to_end.directory import real_directory
from end_to_end.test_consul import register, shop_node
from end_to_end.test_railway import railway_network
from recordings.places import COOKIE, READY, recording
from world.connected import REMOTE_COOKIE, remote_node
from world.consul import ConsulAgent
from world.kubernetes.api import KubernetesApi
from world.kubernetes.data_manifests import secret
from world.kubernetes.deployments import ErlangDeployment, Template


def fixed() -> str:
    with remote_node("app@127.0.0.1") as node, recording() as recorded:
        line = f"erlconnect -b fixed app@127.0.0.1 -o dist-port={node.dist_port} {COOKIE}"
        with recorded.running(line, until=READY):
            recorded.run("erl_call -name app@127.0.0.1 -a 'erlang node []'")
        return recorded.text


def dns() -> str:
    with real_directory() as directory, recording() as recorded:
        server = f"-o server=127.0.0.1:{directory.dns_port}"
        line = f"erlconnect -b dns _epmd._tcp.shop.shop.test {server} {COOKIE}"
        with recorded.running(line, until=READY):
            recorded.run("erl_call -name app@127.0.0.1 -a 'erlang node []'")
        recorded.run(f"erlconnect -b dns _epmd._tcp.shoop.shop.test {server} {COOKIE}")
        return recorded.text


def railway() -> str:
    with railway_network() as network, recording() as recorded:
        server = f"-o server=127.0.0.1:{network.knot.port}"
        line = f"erlconnect -b railway shop -o dist-port=4444 {server} {COOKIE}"
        with recorded.running(line, until=READY):
            recorded.run("erl_call -name shop@127.0.0.1 -a 'erlang node []'")
        return recorded.text


def consul() -> str:
    with ConsulAgent() as agent, shop_node("shop@127.0.0.1") as node:
        more = {"Tags": ["blue"], "Meta": {"zone": "a"}}
        register(agent, "shop-1", node.dist_port, **more)
        agent.request("PUT", "/kv/erlang/cookie", REMOTE_COOKIE.encode())
        with recording(CONSUL_HTTP_ADDR=agent.address) as recorded:
            line = "erlconnect -b consul shop -o cookie-key=erlang/cookie"
            with recorded.running(line, until=READY):
                recorded.run("erl_call -name shop@127.0.0.1 -a 'erlang node []'")
            recorded.run("erlconnect -b consul shoop -o cookie-key=erlang/cookie")
            return recorded.text


def consul_connect() -> str:
    with (
        ConsulAgent() as agent,
        shop_node("shop@127.0.0.1") as node,
        sidecar(agent, "shop", node.dist_port),
        recording(CONSUL_HTTP_ADDR=agent.address) as recorded,
    ):
        line = f"erlconnect -b consul shop {COOKIE}"
        with recorded.running(line, until=READY):
            recorded.run("erl_call -name shop@127.0.0.1 -a 'erlang node []'")
        agent.intention("erlconnect", "shop", "deny")
        recorded.run(line)
        return recorded.text


def kubernetes() -> str:
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
            recording(
                {api.url: "https://eu1.example:6443"}, KUBECONFIG=str(kubeconfig)
            ) as recorded,
        ):
            with recorded.running("erlconnect -b kubernetes deploy/shop", until=READY):
                recorded.run("erl_call -name shop@127.0.0.1 -a 'erlang node []'")
            recorded.run("erlconnect -b kubernetes deploy/shoop")
            return recorded.text
