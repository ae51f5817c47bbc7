"""A doctor in a cluster: the whole way to a real node in a pod, and the Role that suffices."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml
from end_to_end.examined import examined, run
from end_to_end.machine import Machine, machine
from world.connected import REMOTE_COOKIE
from world.kubernetes.api import KubernetesApi
from world.kubernetes.data_manifests import secret
from world.kubernetes.deployments import ErlangDeployment, Template
from world.kubernetes.kubeconfig import by_token
from world.kubernetes.rbac import bind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from end_to_end.examined import Ended

_FROM_SECRET = {
    "name": "RELEASE_COOKIE",
    "valueFrom": {"secretKeyRef": {"name": "shop", "key": "cookie"}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A cluster with one pod, and the machine of a user."""

    api: KubernetesApi
    shop: ErlangDeployment
    folder: Path
    here: Machine

    def words(self, user: str = "") -> list[str]:
        """What leads to the pod; as a user who may do everything, or as ``user``."""
        token = self.api.users.add(user) if user else self.api.token
        file = self.folder / f"kubeconfig-{user}"
        self.api.kubeconfig(file, user=by_token(token))
        return ["-b", "kubernetes", "deploy/shop", "-o", f"kubeconfig={file}"]

    def examined(self, user: str = "") -> Ended:
        return examined(self.here, *self.words(user), "-o", "namespace=shop")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with made(tmp_path) as there:
        yield there


@contextmanager
def made(folder: Path) -> Iterator[World]:
    template = Template(
        cookie=REMOTE_COOKIE, env=[_FROM_SECRET], environment={"RELEASE_COOKIE": REMOTE_COOKIE}
    )
    with (
        KubernetesApi() as api,
        ErlangDeployment(api.cluster, "shop", template) as shop,
        machine(epmd=False) as here,
    ):
        api.objects.put(secret("shop", {"cookie": REMOTE_COOKIE}, namespace="shop"))
        yield World(api=api, shop=shop, folder=folder, here=here)


def test_the_whole_way_through_a_cluster(world: World) -> None:
    ended = world.examined()
    assert ended.code == 0, ended.stdout
    assert ended.steps["tunnel"]["seen"] == "kubernetes-port-forward is open"
    assert "kubernetes-env has it" in ended.steps["cookie"]["seen"]
    assert ended.steps["remote-erlang"]["seen"].startswith("OTP 25")
    node = world.shop.pods[0].node
    assert node.evaluate("nodes(hidden).") == "[]"
    assert node.process.output == ""


def test_the_role_is_what_is_missing_and_suffices(world: World) -> None:
    refused = world.examined("me")
    assert refused.failed[0] == "rights"
    assert refused.code == 77
    printed = run(world.here, "doctor", *world.words(), "-o", "namespace=shop", "--role")
    assert (printed.code, printed.stderr) == (0, "")
    role = yaml.safe_load(printed.stdout)
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "shop")
    bind(world.api.objects, role, "me")
    allowed = world.examined("me")
    assert allowed.code == 0, allowed.stdout


def test_a_role_without_the_secret_fails_at_the_cookie(world: World) -> None:
    printed = run(world.here, "doctor", *world.words(), "-o", "namespace=shop", "--role").stdout
    role = yaml.safe_load(printed)
    role["rules"] = [rule for rule in role["rules"] if "secrets" not in rule["resources"]]
    bind(world.api.objects, role, "me")
    ended = world.examined("me")
    assert ended.failed == ["cookie"]
    assert (ended.code, ended.steps["cookie"]["cause"]) == (77, "refused")


def test_a_role_without_the_forward_fails_at_the_tunnel(world: World) -> None:
    printed = run(world.here, "doctor", *world.words(), "-o", "namespace=shop", "--role").stdout
    role = yaml.safe_load(printed)
    role["rules"] = [r for r in role["rules"] if "pods/portforward" not in r["resources"]]
    bind(world.api.objects, role, "me")
    ended = world.examined("me")
    assert ended.failed[0] == "tunnel", ended.stdout
    assert ended.code == 77
