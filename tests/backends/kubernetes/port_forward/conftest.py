"""The double of the API server, with one pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from backends.kubernetes.port_forward.here import Here
from world.kubernetes.api import KubernetesApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    with KubernetesApi() as api:
        here = Here(api=api, kubeconfig=api.kubeconfig(tmp_path / "kubeconfig"))
        here.run_pod()
        yield here
