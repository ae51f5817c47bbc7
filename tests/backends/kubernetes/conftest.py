"""A cluster of a test's own, without running pods unless the test runs some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from backends.kubernetes.asking import NAMESPACE, Asking
from backends.kubernetes.workshop import Workshop
from world.kubernetes.api import KubernetesApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what this machine's user may have set for clients of Kubernetes, and proxies."""
    names = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
    for name in (*names, *map(str.lower, names)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    with KubernetesApi() as server:
        yield server


@pytest.fixture
def asking(api: KubernetesApi, tmp_path: Path) -> Asking:
    """The administrator, whose kubeconfig names the namespace ``shop``."""
    return Asking(api.kubeconfig(tmp_path / "kubeconfig", namespace=NAMESPACE))


@pytest.fixture
def workshop(api: KubernetesApi) -> Workshop:
    """Where objects come from."""
    return Workshop(api)
