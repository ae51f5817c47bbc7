"""References in a container's variables: to fields and resources, to other variables, to objects.

Each case of ``$(VAR)`` is one of the kubelet's own tests.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world.kubernetes import manifests

from erlconnect_backends.kubernetes.container_env import (
    env_sources,
    field_value,
    resource_value,
    split_references,
)
from erlconnect_backends.kubernetes.pods import Pod, pod_of
from erlconnect_backends.kubernetes.requests import CONFIG_MAP, SECRET

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


VALUES = {"VAR_A": "A", "VAR_B": "B", "VAR_REF": "$(VAR_A)", "VAR_EMPTY": ""}


def expanded(text: str) -> str:
    return "".join(
        VALUES.get(piece, f"$({piece})") if is_name else piece
        for is_name, piece in split_references(text)
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("$(VAR_A)_$(VAR_B)", "A_B"),
        ("$(VAR_REF)", "$(VAR_A)"),  # a value is not expanded again
        ("foo$(VAR_EMPTY)bar", "foobar"),
        ("$$(VAR_A)", "$(VAR_A)"),
        ("$$$(VAR_A)", "$A"),
        ("$$$$(VAR_A)", "$$(VAR_A)"),
        ("$(VAR_UNKNOWN)", "$(VAR_UNKNOWN)"),
        ("$()", "$()"),
        ("$VAR_A", "$VAR_A"),
        ("${VAR_A}", "${VAR_A}"),
        ("$(VAR_A", "$(VAR_A"),
        ("foo$(foo)bar", "foo$(foo)bar"),
        ("$?_boo_$!", "$?_boo_$!"),
        ("$", "$"),
        ("$$", "$"),
        ("f0000-$", "f0000-$"),
        ("\n$(VAR_A)\n", "\nA\n"),
        ("$(VAR_A)$", "A$"),
        ("$(VAR_A)(VAR_B)", "A(VAR_B)"),
        ("$$(VAR_A", "$(VAR_A"),
        ("$($(VAR_A)", "$($(VAR_A)"),
        ("", ""),
    ],
)
def test_references_and_dollars(text: str, value: str) -> None:
    assert expanded(text) == value


@given(st.text(alphabet="$()A"))
def test_without_known_names_only_pairs_of_dollars_change(text: str) -> None:
    pieces = list(split_references(text))
    rebuilt = "".join(f"$({piece})" if is_name else piece for is_name, piece in pieces)
    assert rebuilt.replace("$", "").count("(") == text.count("(")
    assert len(rebuilt) <= len(text)


CONTAINER: dict[str, Any] = {
    "env": [
        {"name": "PART", "valueFrom": {"configMapKeyRef": {"name": "parts", "key": "a"}}},
        {"name": "OTHER", "valueFrom": {"secretKeyRef": {"name": "others", "key": "a"}}},
        {"name": "WHOLE", "value": "$(PART)-$(NOBODY)"},
        {"name": "COOKIE", "value": "$(WHOLE)"},
        {"name": "COOKIE", "valueFrom": {"secretKeyRef": {"name": "cookies", "key": "a"}}},
    ],
    "envFrom": [{"secretRef": {"name": "all"}}, {"configMapRef": {"name": "all"}}],
}


def test_references_are_followed_and_other_variables_left_out() -> None:
    assert env_sources(CONTAINER, ["COOKIE"]) == {
        (SECRET, "cookies"),
        (CONFIG_MAP, "parts"),
        (SECRET, "all"),
        (CONFIG_MAP, "all"),
    }


def test_whole_sources_may_hold_any_variable() -> None:
    assert env_sources(CONTAINER, ["ELSE"]) == {(SECRET, "all"), (CONFIG_MAP, "all")}


def test_a_container_without_variables_has_none() -> None:
    assert env_sources({"name": "app"}, ["COOKIE"]) == set()
