"""The container with the node, wherever it stands in the spec."""

from __future__ import annotations

from typing import Any

import pytest
from world.kubernetes import manifests

from erlconnect.api import UsageError
from erlconnect_backends.kubernetes.pods import beam_container, pod_of

PROXY = manifests.container("proxy", ports=[{"containerPort": 15001}], env=[{"name": "POD_NAME"}])


def chosen(*containers: dict[str, Any], wanted: str = "", **annotations: str) -> str:
    item = manifests.pod("shop-1", containers=containers)
    item["metadata"]["annotations"] = {
        f"kubectl.kubernetes.io/{key.replace('_', '-')}": value
        for key, value in annotations.items()
    }
    return str(beam_container(pod_of(item), wanted)["name"])


@pytest.mark.parametrize(
    "signs",
    [
        {"ports": [{"containerPort": 4369}]},
        {"ports": [{"containerPort": 4000}, {"containerPort": 9100, "name": "epmd"}]},
        {"env": [{"name": "RELEASE_COOKIE", "value": "c"}]},
        {"env": [{"name": "ERL_AFLAGS", "value": "-name a"}]},
        {"env": [{"name": "REMSH_COOKIE", "value": "c"}]},
        {"command": ["/usr/bin/erl", "-noinput"]},
        {"command": ["sh", "-c"], "args": ["elixir"]},
    ],
)
def test_a_sidecar_that_comes_first_is_passed_over(signs: dict[str, Any]) -> None:
    assert chosen(PROXY, manifests.container("app", **signs)) == "app"


def test_more_signs_count_more_than_a_default() -> None:
    app = manifests.container("app", env=[{"name": "RELEASE_NODE"}, {"name": "RELEASE_COOKIE"}])
    assert chosen(PROXY, app, default_container="proxy") == "app"


def test_without_any_sign_it_is_the_one_that_kubectl_takes() -> None:
    app = manifests.container("app")
    assert chosen(PROXY, app) == "proxy"
    assert chosen(PROXY, app, default_container="app") == "app"
    assert chosen(PROXY, app, default_container="gone") == "proxy"


def test_sidecars_and_ephemeral_containers_run_too() -> None:
    item = manifests.pod("web-0", containers=[manifests.container("web")])
    cache = manifests.container("cache", ports=[{"containerPort": 4369}])
    item["spec"]["initContainers"] = [
        manifests.container("prepare", ports=[{"containerPort": 4369, "name": "epmd"}]),
        {**cache, "restartPolicy": "Always"},
    ]
    item["spec"]["ephemeralContainers"] = [manifests.container(name) for name in ("gone", "dbg")]
    item["status"]["ephemeralContainerStatuses"] = [
        {"name": "gone", "state": {"terminated": {"exitCode": 0}}},
        {"name": "dbg", "state": {"running": {}}},
    ]
    pod = pod_of(item)
    assert [each["name"] for each in pod.containers] == ["web", "cache", "dbg"]
    assert beam_container(pod)["name"] == "cache"
    assert beam_container(pod, "dbg")["name"] == "dbg"
    with pytest.raises(UsageError, match="no container 'prepare'"):
        beam_container(pod, "prepare")


def test_the_setting_chooses() -> None:
    app = manifests.container("app", ports=[{"containerPort": 4369}])
    assert chosen(PROXY, app, wanted="proxy") == "proxy"
    with pytest.raises(UsageError, match="no container 'ap'") as refused:
        chosen(PROXY, app, wanted="ap")
    assert "It has proxy, app" in refused.value.remedy
