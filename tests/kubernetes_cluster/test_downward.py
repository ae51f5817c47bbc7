"""What fieldRef and resourceFieldRef give."""

from __future__ import annotations

from typing import Any

import pytest
from world.kubernetes import manifests

from erlconnect_backends.kubernetes_cluster.downward import field_value, resource_value
from erlconnect_backends.kubernetes_cluster.pods import Pod, pod_of

RESOURCES = {
    "limits": {"cpu": "1500m", "memory": "128Mi", "ephemeral-storage": "1e9"},
    "requests": {"cpu": "2", "memory": "1.5Gi", "odd": "12 apples"},
}


def pod(**container: Any) -> Pod:
    item = manifests.pod(
        "shop-1",
        namespace="shop",
        labels={"app": "shop"},
        containers=[
            manifests.container("first"),
            manifests.container("second", resources=RESOURCES),
        ],
        address="10.3.0.7",
    )
    item["metadata"] |= {"uid": "u-1", "annotations": {"a/b": "c"}}
    item["spec"]["serviceAccountName"] = "robot"
    item["status"]["podIPs"].append({"ip": "fd00::7"})
    return pod_of(item)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "shop-1"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "shop"),
        ("metadata.labels['nothing']", ""),
        ("metadata.annotations['a/b']", "c"),
        ("spec.nodeName", "machine-1"),
        ("spec.serviceAccountName", "robot"),
        ("status.hostIP", "192.0.2.1"),
        ("status.podIP", "10.3.0.7"),
        ("status.podIPs", "10.3.0.7,fd00::7"),
        ("status.hostIPs", None),
        ("spec.something.new", None),
    ],
)
def test_fields(path: str, value: str | None) -> None:
    assert field_value(pod(), path) == value


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", "", "2"),  # rounded up to whole processors
        ("limits.cpu", "1m", "1500"),
        ("limits.memory", "", "134217728"),
        ("limits.memory", "1Mi", "128"),
        ("limits.memory", "1G", "1"),
        ("limits.ephemeral-storage", "1k", "1000000"),
        ("requests.memory", "1Ki", "1572864"),
        ("requests.cpu", "0", "2"),  # what the API server writes for no divisor
        ("requests.hugepages-2Mi", "", "0"),
        ("limits.hugepages-2Mi", "", None),  # then it is the machine's capacity
        ("requests.odd", "", None),
    ],
)
def test_resources(resource: str, divisor: str, value: str | None) -> None:
    reference = {"resource": resource, "divisor": divisor, "containerName": "second"}
    assert resource_value(pod(), {"name": "first"}, reference) == value


def test_a_resource_is_the_containers_own_unless_another_is_named() -> None:
    own = {"resource": "limits.cpu", "divisor": "1m"}
    assert resource_value(pod(), {"name": "second"}, own) == "1500"
    assert resource_value(pod(), {"name": "first"}, own) is None
