"""The cluster's own name server, a real one in a pod, and nodes that it knows."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from end_to_end.machine import FROM_VARIABLE, Machine, alias_of, machine
from world import namespaces
from world.connected import REMOTE_COOKIE
from world.knot import KnotServer
from world.kubernetes import manifests
from world.kubernetes.api import KubernetesApi
from world.kubernetes.deployments import ErlangDeployment, Template
from world.kubernetes.network_sockets import socket_inside
from world.namespaces import Namespace

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from world.kubernetes.erlang_pods import ErlangPod
    from world.session import ErlconnectSession

SERVER = "kubernetes://kube-system/kube-dns"
SERVICE = "shop.shop.svc.cluster.local"
LABELS = {"k8s-app": "kube-dns"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsPod:
    """A pod with a network of its own, in which something else runs."""

    network: Namespace

    def socket(self, family: int) -> socket.socket:
        return socket_inside(self.network.name, family)

    def command(self, _container: str, words: Sequence[str], /) -> Sequence[str]:
        return [*namespaces.prefix(self.network.name), *words]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A cluster with its name server and one node, and the machine of a user."""

    api: KubernetesApi
    pod: ErlangPod
    kubeconfig: Path
    here: Machine

    def session(self, target: str, *options: str) -> ErlconnectSession:
        return self.here.session(
            *("-b", "dns", target, "-o", f"server={SERVER}", *FROM_VARIABLE),
            *("--transport", "kubernetes-port-forward", "-o", "transport.namespace=shop"),
            *options,
            environment={"KUBECONFIG": str(self.kubeconfig)},
        )


@contextmanager
def name_server(api: KubernetesApi, records: str) -> Iterator[None]:
    """kube-dns as clusters have it: a service whose TCP port has a name in the pod."""
    ports = [{"name": "dns", "containerPort": 53, "protocol": "UDP"}]
    ports += [{"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"}]
    with (
        Namespace() as network,
        KnotServer({"cluster.local": records}, port=53, inside=namespaces.prefix(network.name)),
    ):
        pod = manifests.pod(
            "coredns-0",
            namespace="kube-system",
            labels=LABELS,
            containers=[manifests.container("coredns", ports=ports)],
            address=network.address,
        )
        api.objects.put(pod)
        api.objects.put(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "kube-dns", "namespace": "kube-system"},
                "spec": {
                    "selector": LABELS,
                    "ports": [
                        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"},
                        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": "dns-tcp"},
                    ],
                },
            }
        )
        api.pods.run("kube-system", "coredns-0", DnsPod(network=network))
        yield


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with (
        KubernetesApi() as api,
        ErlangDeployment(api.cluster, "shop", Template(cookie=REMOTE_COOKIE)) as shop,
        machine() as here,
    ):
        pod = shop.pods[0]
        records = f"""
_epmd._tcp.shop.shop.svc SRV 0 50 4369 shop-0.shop.shop.svc
shop-0.shop.shop.svc     A {pod.address}
shop.shop.svc            A {pod.address}
broken.shop.svc          SRV 0 50 4369 nobody.shop.svc
"""
        with name_server(api, records):
            kubeconfig = api.kubeconfig(tmp_path / "kubeconfig")
            yield World(api=api, pod=pod, kubeconfig=kubeconfig, here=here)


@pytest.mark.parametrize("target", [SERVICE, f"_epmd._tcp.{SERVICE}"])
def test_nodes_are_found_and_reached_through_the_api_alone(world: World, target: str) -> None:
    with world.session(target) as session, world.here.node() as local:
        ready = session.ready()
        assert ready["aliases"][0]["node"] == world.pod.node.name
        assert local.evaluate(f"net_adm:ping({alias_of(ready)}).") == "pong"


def test_every_answer_of_the_api_takes_three_seconds(world: World) -> None:
    world.api.faults.delay(3)
    with world.session(SERVICE) as session:
        assert session.ready(60)["aliases"][0]["node"] == world.pod.node.name


def test_a_name_that_the_cluster_does_not_know(world: World) -> None:
    with world.session("shop.elsewhere.svc.cluster.local") as session:
        error = session.wait_event("error", 30)
        assert session.wait() == error["code"] == 69
    assert error["cause"] == "name-not-found"
    assert f"{SERVER} says that this name does not exist" in error["message"]


def test_a_cluster_without_that_service(world: World) -> None:
    world.api.objects.remove("services", "kube-system", "kube-dns")
    with world.session(SERVICE) as session:
        error = session.wait_event("error", 30)
        assert session.wait() == error["code"] == 69
    assert error["cause"] == "lookup-failed"
    assert f"The name server {SERVER} could not be asked" in error["message"]
    assert 'services "kube-dns" not found' in error["message"]


def test_a_server_that_does_not_listen_by_tcp(world: World) -> None:
    def only_udp(item: dict[str, dict[str, list[dict[str, str]]]]) -> None:
        item["spec"]["ports"] = item["spec"]["ports"][:1]

    world.api.objects.change("services", "kube-system", "kube-dns", only_udp)
    with world.session(SERVICE) as session:
        error = session.wait_event("error", 30)
        assert session.wait() == error["code"] == 69
    assert "The service kube-system/kube-dns has no TCP port 53" in error["message"]
