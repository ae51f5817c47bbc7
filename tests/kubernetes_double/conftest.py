"""A cluster of a test's own, and one pod in it that shares this machine's network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kubernetes_double.echo import Echo
from world.kubernetes import manifests
from world.kubernetes.api import KubernetesApi
from world.kubernetes.kubectl import SUITES, Kubectl
from world.kubernetes.pods import HostPod

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    """A cluster with the pod ``shop-1`` in the namespace ``shop``."""
    with KubernetesApi() as server:
        pod = manifests.pod("shop-1", namespace="shop", labels={"app": "shop", "tier": "back"})
        server.objects.put(pod)
        server.pods.run("shop", "shop-1", HostPod())
        yield server


@pytest.fixture
def kubeconfig(api: KubernetesApi, tmp_path: Path) -> Path:
    """The administrator's, whose namespace is ``shop``."""
    return api.kubeconfig(tmp_path / "kubeconfig", namespace="shop")


@pytest.fixture(params=SUITES)
def kubectl(request: pytest.FixtureRequest, kubeconfig: Path) -> Iterator[Kubectl]:
    """Each version of the real kubectl."""
    with Kubectl(request.param, kubeconfig) as program:
        yield program


@pytest.fixture
def echo() -> Iterator[Echo]:
    """What listens in the pod."""
    with Echo() as server:
        yield server
