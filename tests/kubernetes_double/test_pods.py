"""Pods that are real Erlang nodes: reached as a kubelet reaches them, replaced, and gone."""

from __future__ import annotations

import socket
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from world.kubernetes import manifests
from world.kubernetes.deployments import ErlangDeployment, Template
from world.kubernetes.network_pods import NetworkPod
from world.kubernetes.stateful_sets import ErlangStatefulSet
from world.namespaces import left_over
from world.processes import Process
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.kubernetes.api import KubernetesApi
    from world.kubernetes.erlang_pods import ErlangPod
    from world.kubernetes.kubectl import Kubectl

COOKIE = "pod-cookie-93b1"
EPMD_NAMES = 110
SHOP = "shop"


@pytest.fixture
def shop(api: KubernetesApi) -> Iterator[ErlangDeployment]:
    """Two pods, each with an empty sidecar before the node's container."""
    template = Template(
        cookie=COOKIE,
        env=[{"name": "RELEASE_NODE", "value": "shop"}],
        sidecars=[manifests.container("mesh")],
        sidecar_first=True,
        files={"releases/COOKIE": COOKIE},
    )
    with ErlangDeployment(api.cluster, SHOP, template, replicas=2) as deployment:
        yield deployment


def processes_of(pod: ErlangPod, container: str) -> str:
    """The command lines of everything that runs in a container, ``cat`` itself among it."""
    command = pod.command(container, ["sh", "-c", "cat /proc/[0-9]*/cmdline"])
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def names_by_epmd(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), 20) as to_epmd:
        to_epmd.sendall(struct.pack("!HB", 1, EPMD_NAMES))
        answer = b""
        while part := to_epmd.recv(4096):
            answer += part
    return answer[4:].decode()


def listens(pod: NetworkPod, port: int) -> bool:
    with pod.socket(socket.AF_INET) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_forward_leads_to_the_pods_own_epmd(shop: ErlangDeployment, kubectl: Kubectl) -> None:
    for pod in shop.pods:
        with kubectl.forwarding(f"pod/{pod.name}", ":4369") as (_, port):
            assert names_by_epmd(port) == f"name shop at port {pod.node.dist_port}\n"


def test_a_command_sees_the_container_and_no_other(
    shop: ErlangDeployment, kubectl: Kubectl
) -> None:
    pod = shop.pods[0]
    script = "cat releases/COOKIE; echo; echo $RELEASE_NODE; cat /proc/*/cmdline | tr '\\0' ' '"
    said = kubectl.says("exec", pod.name, "-c", SHOP, "--", "sh", "-c", script)
    cookie, name, processes = said.split("\n", 2)
    assert (cookie, name) == (COOKIE, SHOP)
    assert f"-name {pod.node.name} " in processes
    assert processes.count("beam.smp") == 1
    seen = kubectl.says("exec", pod.name, "-c", "mesh", "--", "sh", "-c", script.split("; ", 2)[2])
    assert "beam.smp" not in seen


def test_a_command_in_a_pod_ends_with_its_client(shop: ErlangDeployment, kubectl: Kubectl) -> None:
    pod = shop.pods[0]
    words = ("exec", pod.name, "-c", "mesh", "--", "sh", "-c", "echo begun; exec sleep 600")
    with kubectl.started(*words) as client:
        client.wait_for_line("begun", stream="stdout")
        assert "600" in processes_of(pod, "mesh")
        client.kill()
    wait_until(lambda: "600" not in processes_of(pod, "mesh"), "the command has ended")


def test_a_pod_is_replaced(api: KubernetesApi, shop: ErlangDeployment, kubectl: Kubectl) -> None:
    old, kept = shop.pods
    version = api.objects.version
    new = shop.replace(old)
    assert {old.name, old.address}.isdisjoint({new.name, new.address})
    listed = kubectl.says("get", "pods", "-l", "app=shop,pod-template-hash", "-o", "name").split()
    assert sorted(listed) == sorted(f"pod/{each.name}" for each in (kept, new))
    told = [
        (change.before is None, change.after is None)
        for change in api.objects.changes_since(version) or ()
    ]
    assert told == [(True, False), (False, False), (False, True)]  # new, old ending, old gone
    assert old.node.process.returncode is not None


def test_a_rollout_makes_a_revision(api: KubernetesApi, shop: ErlangDeployment) -> None:
    before = {each.name for each in shop.pods}
    shop.roll_out()
    assert before.isdisjoint({each.name for each in shop.pods})
    deployment = api.objects.get("deployments", SHOP, SHOP)
    assert deployment["metadata"]["annotations"][manifests.REVISION] == "2"
    sets = api.objects.every("replicasets", SHOP)[0]
    found = {each["metadata"]["annotations"][manifests.REVISION]: each for each in sets}
    assert {revision: each["spec"]["replicas"] for revision, each in found.items()} == {
        "1": 0,
        "2": 2,
    }
    for pod in api.objects.every("pods", SHOP)[0]:
        owners = pod["metadata"].get("ownerReferences", [])
        assert [each["uid"] for each in owners] in ([], [found["2"]["metadata"]["uid"]])


def test_a_container_that_crashed_begins_anew_in_its_pod(
    api: KubernetesApi, shop: ErlangDeployment
) -> None:
    pod = shop.pods[0]
    before = (pod.address, pod.node.name, pod.node.pid)
    shop.restart(pod)
    assert (pod.address, pod.node.name) == before[:2]
    assert pod.node.pid != before[2]
    assert pod.epmd.names() == {SHOP: pod.node.dist_port}
    for each in api.objects.get("pods", SHOP, pod.name)["status"]["containerStatuses"]:
        assert (each["ready"], each["restartCount"]) == (True, 1)


def test_a_pod_of_a_stateful_set_keeps_its_name(api: KubernetesApi) -> None:
    template = Template(node="till", cookie=COOKIE, release="27")
    with ErlangStatefulSet(api.cluster, "till", template) as till:
        old = api.objects.get("pods", SHOP, "till-0")
        new = till.replace(till.pods[0])
        item = api.objects.get("pods", SHOP, "till-0")
        assert item["metadata"]["uid"] != old["metadata"]["uid"]
        assert item["status"]["podIP"] == new.address != old["status"]["podIP"]
        assert item["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"
        assert new.node.evaluate("erlang:system_info(otp_release).") == '"27"'


def test_a_crash_ends_every_process_of_the_pod(shop: ErlangDeployment, kubectl: Kubectl) -> None:
    pod = shop.pods[0]
    with kubectl.forwarding(f"pod/{pod.name}", ":4369") as (process, port):
        assert names_by_epmd(port)
        pod.kill()
        assert names_by_epmd(port) == ""
        assert "connection refused" in process.wait_for_line("error forwarding port 4369")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((pod.address, 4369), 5)


def test_a_node_on_the_pods_address_alone_with_a_cookie_in_its_home(
    api: KubernetesApi, kubectl: Kubectl
) -> None:
    template = Template(
        cookie="",
        files={".erlang.cookie": COOKIE},
        env=[{"name": "RELEASE_NODE", "value": "shop@$(POD_IP)"}],
        flags=["-kernel", "inet_dist_use_interface", "$(POD_IP_TUPLE)"],
    )
    with ErlangDeployment(api.cluster, SHOP, template) as shop:
        pod = shop.pods[0]
        assert pod.node.evaluate("atom_to_list(erlang:get_cookie()).") == f'"{COOKIE}"'
        assert pod.node.evaluate('os:getenv("RELEASE_NODE").') == f'"{pod.node.name}"'
        with socket.create_connection((pod.address, pod.node.dist_port), 5):
            pass
        with kubectl.forwarding(f"pod/{pod.name}", f":{pod.node.dist_port}") as (process, port):
            with socket.create_connection(("127.0.0.1", port), 5) as to_pod:
                assert to_pod.recv(1) == b""
            assert process.wait_for_line("connect: connection refused")


def test_a_pod_in_which_anything_runs(api: KubernetesApi, kubectl: Kubectl) -> None:
    with NetworkPod("socat", environment={"GREETING": "hello"}) as pod:
        api.pods.run(SHOP, "shop-1", pod)
        listening = "TCP-LISTEN:7000,bind=127.0.0.1,reuseaddr,fork"
        command = pod.main.command(["socat", listening, "SYSTEM:echo $GREETING"])
        with Process(command), kubectl.forwarding("shop-1", ":7000") as (_, port):
            wait_until(lambda: listens(pod, 7000), "something listens in the pod")
            with socket.create_connection(("127.0.0.1", port), 20) as to_pod:
                assert to_pod.recv(100) == b"hello\n"


def test_nothing_is_left(api: KubernetesApi) -> None:
    with ErlangDeployment(api.cluster, "till", Template(node="till", cookie=COOKIE)) as till:
        assert len(left_over()) == 1
        till.replace(till.pods[0])
        assert len(left_over()) == 1
    assert left_over() == []
    assert api.objects.every("pods", SHOP)[0] == [api.objects.get("pods", SHOP, "shop-1")]
