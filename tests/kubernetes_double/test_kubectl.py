"""The real kubectl reads the double's cluster as it reads a real one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from world.kubernetes import data_manifests, manifests
from world.kubernetes.certificates import Authority
from world.kubernetes.kubeconfig import Kubeconfig, by_certificate, by_exec, by_token, by_token_file

if TYPE_CHECKING:
    from pathlib import Path

    from world.kubernetes.api import KubernetesApi
    from world.kubernetes.kubectl import Kubectl

NAMES = "jsonpath={.items[*].metadata.name}"


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("app=shop", "shop-1 shop-2"),
        ("app==shop,tier!=back", "shop-2"),
        ("app in (shop, till)", "shop-1 shop-2 till-1"),
        ("app notin (shop)", "till-1"),
        ("tier", "shop-1 shop-2"),
        ("!tier", "till-1"),
        ("app=none", ""),
    ],
)
def test_pods_by_labels(api: KubernetesApi, kubectl: Kubectl, selector: str, names: str) -> None:
    api.objects.put(
        manifests.pod("shop-2", namespace="shop", labels={"app": "shop", "tier": "front"})
    )
    api.objects.put(manifests.pod("till-1", namespace="shop", labels={"app": "till"}))
    api.objects.put(manifests.pod("shop-3", namespace="other", labels={"app": "shop"}))
    assert kubectl.says("get", "pods", "-l", selector, "-o", NAMES) == names


def test_pods_by_field_and_everywhere(api: KubernetesApi, kubectl: Kubectl) -> None:
    api.objects.put(manifests.pod("till-1", namespace="other"))
    by_name = ("--field-selector", "metadata.name=till-1")
    assert kubectl.says("get", "pods", "-A", *by_name, "-o", NAMES) == "till-1"
    assert kubectl.says("get", "po", "-A", "-o", NAMES) == "till-1 shop-1"


def test_a_list_in_pages(api: KubernetesApi, kubectl: Kubectl) -> None:
    names = [f"page-{number:03}" for number in range(7)]
    for name in names:
        api.objects.put(manifests.pod(name, namespace="pages"))
    listed = kubectl.says("get", "pods", "-n", "pages", "--chunk-size=3", "-o", NAMES)
    assert listed.split() == names


def test_workloads_of_every_kind(api: KubernetesApi, kubectl: Kubectl) -> None:
    owner = api.objects.put(manifests.deployment("shop", namespace="shop", revision=4))
    api.objects.put(manifests.replica_set(owner, suffix="6d4cf56db6", revision=4))
    for kind in ("StatefulSet", "DaemonSet", "Job"):
        api.objects.put(manifests.workload(kind, "shop", namespace="shop"))
    revision = r"jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}"
    assert kubectl.says("get", "deploy", "shop", "-o", revision) == "4"
    listed = kubectl.says("get", "deploy,rs,sts,ds,job", "-o", "name").split()
    assert listed == [
        "deployment.apps/shop",
        "replicaset.apps/shop-6d4cf56db6",
        "statefulset.apps/shop",
        "daemonset.apps/shop",
        "job.batch/shop",
    ]
    status = kubectl.says("rollout", "status", "deployment/shop", "--timeout=10s")
    assert "successfully rolled out" in status


def test_a_secret_and_a_config_map(api: KubernetesApi, kubectl: Kubectl) -> None:
    api.objects.put(data_manifests.secret("shop", {"cookie": b"abc\n"}, namespace="shop"))
    api.objects.put(data_manifests.config_map("shop", {"NODE": "shop"}, namespace="shop"))
    assert kubectl.says("get", "secret", "shop", "-o", "jsonpath={.data.cookie}") == "YWJjCg=="
    assert kubectl.says("get", "cm", "shop", "-o", "jsonpath={.data.NODE}") == "shop"


def test_a_service_and_its_endpoint_slice(api: KubernetesApi, kubectl: Kubectl) -> None:
    ports = [{"name": "epmd", "port": 4369, "protocol": "TCP"}]
    pod = api.objects.put(manifests.pod("shop-2", namespace="shop", address="10.0.0.2"))
    owner = api.objects.put(
        data_manifests.service("shop", {"app": "shop"}, ports, namespace="shop")
    )
    api.objects.put(data_manifests.endpoint_slice(owner, [pod], ports))
    label = ("-l", "kubernetes.io/service-name=shop")
    address = "jsonpath={.items[0].endpoints[0].addresses[0]}"
    assert kubectl.says("get", "endpointslices", *label, "-o", address) == "10.0.0.2"
    assert kubectl.says("get", "svc", "shop", "-o", "jsonpath={.spec.ports[0].port}") == "4369"


def test_what_is_not_there(kubectl: Kubectl) -> None:
    said = kubectl.fails("get", "pods", "none")
    assert said == 'Error from server (NotFound): pods "none" not found'
    said = kubectl.fails("get", "deploy", "none")
    assert said == 'Error from server (NotFound): deployments.apps "none" not found'
    assert "the server doesn't have a resource type" in kubectl.fails("get", "nonsense")


def test_objects_are_created_and_deleted(api: KubernetesApi, kubectl: Kubectl) -> None:
    pod = manifests.pod("made", namespace="shop")
    words = ("create", "--validate=false", "-f", "-")
    done = kubectl.run(*words, given=json.dumps(pod).encode())
    assert done.stdout == b"pod/made created\n", done.stderr
    assert api.objects.get("pods", "shop", "made")["spec"] == pod["spec"]
    again = kubectl.run(*words, given=json.dumps(pod).encode())
    assert b'pods "made" already exists' in again.stderr
    assert "deleted" in kubectl.says("delete", "pod", "made", "--wait=false")
    assert "NotFound" in kubectl.fails("get", "pod", "made")


def test_a_change_ends_a_wait(api: KubernetesApi, kubectl: Kubectl) -> None:
    ready = manifests.pod("slow", namespace="shop")
    api.objects.put(manifests.pod("slow", namespace="shop", ready=False))
    words = ("wait", "pod/slow", "--for=condition=Ready", "--timeout=20s")
    with kubectl.started(*words) as waiting:
        api.requests.wait_for("GET /api/v1/namespaces/shop/pods.*watch=true")
        api.objects.put(ready)
        assert waiting.wait(20) == 0, waiting.output
        assert waiting.stdout == "pod/slow condition met"


def test_a_token_file_is_read_and_a_program_asked(
    api: KubernetesApi, tmp_path: Path, kubectl: Kubectl
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(api.token)
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": api.token},
    }
    printed = tmp_path / "credential.json"
    printed.write_text(json.dumps(credential))
    users = {"file": by_token_file(token_file), "program": by_exec("cat", str(printed))}
    file = Kubeconfig()
    for name, user in users.items():
        file.context(
            name, server=api.url, authority=api.authority.certificate, user=user, namespace="shop"
        )
    path = f"--kubeconfig={file.write(tmp_path / 'two-contexts')}"
    assert kubectl.says("config", "current-context", path) == "file"
    for name in users:
        options = (path, f"--context={name}")
        assert kubectl.says("get", "pods", "-o", NAMES, *options) == "shop-1"


def test_a_client_certificate(api: KubernetesApi, kubectl: Kubectl, tmp_path: Path) -> None:
    for group, works in (("system:masters", True), ("strangers", False)):
        user = by_certificate(*api.authority.client("dev", group))
        path = f"--kubeconfig={api.kubeconfig(tmp_path / group, user=user, namespace='shop')}"
        if works:
            assert kubectl.says("get", "pods", "-o", NAMES, path) == "shop-1"
        else:
            assert 'User "dev" cannot list resource "pods"' in kubectl.fails("get", "pods", path)


def test_a_token_that_is_not_valid(api: KubernetesApi, kubectl: Kubectl, tmp_path: Path) -> None:
    wrong = api.kubeconfig(tmp_path / "wrong", user=by_token("nobody-0"))
    said = kubectl.fails("get", "pods", f"--kubeconfig={wrong}")
    assert "You must be logged in to the server" in said
    assert "nobody-0" not in said


def test_another_authority_is_not_trusted(
    api: KubernetesApi, kubectl: Kubectl, tmp_path: Path
) -> None:
    file = Kubeconfig()
    file.context(
        "wrong", server=api.url, authority=Authority().certificate, user=by_token(api.token)
    )
    path = file.write(tmp_path / "wrong")
    said = kubectl.fails("get", "pods", f"--kubeconfig={path}")
    assert "certificate signed by unknown authority" in said
    assert not api.requests.seen()


def test_the_programs_are_of_two_versions(kubectl: Kubectl) -> None:
    said = json.loads(kubectl.says("version", "-o", "json"))
    minor = {"trixie": "32", "sid": "36"}[kubectl.suite]
    assert said["clientVersion"]["minor"] == minor
    assert said["serverVersion"]["gitVersion"].startswith("v1.")
