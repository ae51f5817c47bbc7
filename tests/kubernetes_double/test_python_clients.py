"""Kubernetes' own Python client and kr8s read the double's cluster and use its streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from world.kubernetes import data_manifests, manifests
from world.kubernetes.rbac import bind

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes_double.echo import Echo
    from world.kubernetes.api import KubernetesApi

    Client = Callable[..., Any]

TESTS = Path(__file__).parents[1]
OFFICIAL, KR8S = "official", "with_kr8s"
MEGABYTES = "4"
SECONDS = 60
CONTAINER = manifests.container("app", env=[{"name": "A", "value": "1"}])
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "dev", "namespace": "shop"},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
}


@pytest.fixture
def use(kubeconfig: Path) -> Client:
    """Have a client do something, and give what it says."""

    def program(client: str, *words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", f"kubernetes_double.clients.{client}", kubeconfig, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, "PYTHONPATH": str(TESTS), "HOME": str(kubeconfig.parent)},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return program


def test_pods_and_their_absence(use: Client) -> None:
    assert use(OFFICIAL, "listed") == {"names": ["shop-1"], "absent": 404}
    assert use(KR8S, "listed") == ["shop-1"]


def test_objects_of_every_kind_have_the_fields_that_they_must_have(
    api: KubernetesApi, use: Client
) -> None:
    ports = [{"name": "epmd", "port": 4369, "protocol": "TCP"}]
    pod = api.objects.put(manifests.pod("shop-2", namespace="shop", address="10.0.0.2"))
    owner = manifests.deployment("shop", namespace="shop", containers=[CONTAINER])
    api.objects.put(manifests.replica_set(api.objects.put(owner), suffix="6d4cf56db6"))
    for kind in ("StatefulSet", "DaemonSet", "Job"):
        workload = manifests.workload(kind, "shop", namespace="shop", containers=[CONTAINER])
        api.objects.put(workload)
    service = data_manifests.service("shop", {"app": "shop"}, ports, namespace="shop")
    api.objects.put(data_manifests.endpoint_slice(api.objects.put(service), [pod], ports))
    api.objects.put(data_manifests.secret("shop", {"cookie": "abc"}, namespace="shop"))
    api.objects.put(data_manifests.config_map("shop", {"NODE": "shop"}, namespace="shop"))
    bind(api.objects, ROLE, "dev")
    counts = use(OFFICIAL, "typed")
    assert len(counts) == 11
    assert set(counts.values()) == {1}


def test_a_watch(api: KubernetesApi, use: Client) -> None:
    version = str(api.objects.version)
    api.objects.put(manifests.pod("shop-2", namespace="shop"))
    api.objects.remove("pods", "shop", "shop-1")
    assert use(OFFICIAL, "watched", version) == [["ADDED", "shop-2"], ["DELETED", "shop-1"]]


def test_the_official_client_forwards_two_ports(use: Client, echo: Echo) -> None:
    said = use(OFFICIAL, "forwarded", str(echo.port), MEGABYTES)
    assert said["same"]
    assert said["error"] is None
    assert "dial tcp4 127.0.0.1:1: connect: connection refused" in said["refused"]


def test_the_official_client_misses_a_pod(use: Client) -> None:
    assert "404" in use(OFFICIAL, "forwarded_nowhere")


def test_kr8s_forwards_a_port(use: Client, echo: Echo) -> None:
    assert use(KR8S, "forwarded", str(echo.port), MEGABYTES) is True


def test_commands(use: Client) -> None:
    assert use(OFFICIAL, "executed") == ["hello\n", "err\n", 5]
    assert use(KR8S, "executed") == ["out\n", "err\n", 5]
