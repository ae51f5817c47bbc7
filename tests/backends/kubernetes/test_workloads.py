"""Which pods TARGET means, as kubectl would take them, and label selectors as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from backends.kubernetes.asking import NAMESPACE, Asking
from world.kubernetes import data_manifests, manifests
from world.kubernetes.kubeconfig import by_token
from world.kubernetes.kubectl import SUITES, Kubectl
from world.kubernetes.pods import HostPod

from erlconnect.api import NameNotFoundError, NoNodeFoundError, RefusedError
from erlconnect_backends.kubernetes.workloads import selector_text

if TYPE_CHECKING:
    from pathlib import Path

    from backends.kubernetes.workshop import Workshop
    from world.kubernetes.api import KubernetesApi


async def test_a_deployments_pods_are_those_of_its_revision(
    asking: Asking, workshop: Workshop
) -> None:
    deployment = workshop.deployment(revision=2)
    workshop.replica_set(deployment, "old", revision=1, pods=["a"])
    workshop.replica_set(deployment, "new", revision=2, pods=["c", "b"])
    one, two = await asking.targets("deploy/shop")
    assert [one.facts["pod"], two.facts["pod"]] == ["shop-new-b", "shop-new-c"]
    assert one.facts["revision"] == "2"


async def test_right_after_a_rollback_they_are_those_of_the_old_replica_set(
    asking: Asking, workshop: Workshop
) -> None:
    deployment = workshop.deployment(revision=3)
    workshop.replica_set(deployment, "new", revision=2, pods=["a"])
    workshop.replica_set(deployment, "old", revision=3, pods=["b"])
    assert await asking.pods("deploy/shop") == ["shop-old-b"]


async def test_a_revision_that_is_not_numbered_yet_is_the_latest(
    asking: Asking, workshop: Workshop
) -> None:
    deployment = workshop.deployment(revision=3)
    workshop.replica_set(deployment, "a", revision=9, pods=["x"])
    workshop.replica_set(deployment, "b", revision=10, pods=["y"])
    assert await asking.pods("deploy/shop") == ["shop-b-y"]


async def test_another_deployments_pods_with_the_same_labels_are_not_taken(
    asking: Asking, workshop: Workshop
) -> None:
    same = {"matchLabels": {"app": "shop"}}
    mine, other = workshop.deployment(), workshop.deployment("other", selector=same)
    workshop.replica_set(other, "o", revision=1, pods=["a"])
    workshop.replica_set(mine, "m", revision=1, pods=["b"])
    workshop.pod("stray", labels={"app": "shop"})
    assert await asking.pods("deploy/shop") == ["shop-m-b"]


async def test_expressions_select_as_labels_do(asking: Asking, workshop: Workshop) -> None:
    selector = {
        "matchExpressions": [
            {"key": "app", "operator": "In", "values": ["shop", "store"]},
            {"key": "gone", "operator": "DoesNotExist"},
            {"key": "app", "operator": "Exists"},
            {"key": "app", "operator": "NotIn", "values": ["bank"]},
        ]
    }
    sts = workshop.workload("StatefulSet", "shop", pods=["shop-0"], selector=selector)
    workshop.pod("shop-1", owner=sts, labels={"app": "bank"})
    workshop.pod("shop-2", owner=sts, labels={"app": "shop", "gone": "x"})
    assert await asking.pods("sts/shop") == ["shop-0"]


def every_kind(workshop: Workshop) -> None:
    deployment = workshop.deployment("web")
    workshop.replica_set(deployment, "r1", revision=1, pods=["a"])
    workshop.workload("StatefulSet", "db", pods=["db-0", "db-1"])
    workshop.workload("DaemonSet", "agent", pods=["agent-x"])
    workshop.workload("Job", "import", pods=["import-y"])
    ports = [{"name": "epmd", "port": 4369}]
    workshop.put(data_manifests.service("front", {"app": "web"}, ports, namespace=NAMESPACE))


EVERY_KIND = {
    "deploy/web": ["web-r1-a"],
    "rs/web-r1": ["web-r1-a"],
    "sts/db": ["db-0", "db-1"],
    "ds/agent": ["agent-x"],
    "job/import": ["import-y"],
    "svc/front": ["web-r1-a"],
    "pod/db-1": ["db-1"],
    "db": ["db-0", "db-1"],
    "front": ["web-r1-a"],
    "db-0": ["db-0"],
}


@pytest.mark.parametrize(("target", "pods"), EVERY_KIND.items())
async def test_every_kind_has_its_pods(
    asking: Asking, workshop: Workshop, target: str, pods: list[str]
) -> None:
    every_kind(workshop)
    assert await asking.pods(target) == pods


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("target", [target for target in EVERY_KIND if "/" in target])
def test_kubectl_takes_one_of_them(
    api: KubernetesApi, asking: Asking, workshop: Workshop, target: str, suite: str
) -> None:
    every_kind(workshop)
    for pods in EVERY_KIND.values():
        for pod in pods:
            api.pods.run(NAMESPACE, pod, HostPod())
    with Kubectl(suite, asking.kubeconfig) as kubectl, kubectl.forwarding(target, ":4369"):
        taken = api.requests.wait_for("/portforward").split("/")[6]
    assert taken in EVERY_KIND[target]


async def test_a_rollouts_pods_are_those_of_its_revision(
    asking: Asking, workshop: Workshop
) -> None:
    rollout = manifests.deployment("shop", namespace=NAMESPACE)
    rollout |= {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}
    rollout["status"] = {"currentPodHash": "new", "stableRS": "old"}
    workshop.put(rollout)
    for revision in ("old", "new"):
        labels = {"app": "shop", "rollouts-pod-template-hash": revision}
        workshop.pod(f"shop-{revision}", labels=labels)
    assert await asking.pods("rollout/shop") == ["shop-new"]


async def test_a_selector_says_which_pods(asking: Asking, workshop: Workshop) -> None:
    workshop.pod("one", labels={"app": "shop", "tier": "back"})
    workshop.pod("two", labels={"app": "shop", "tier": "front"})
    assert await asking.pods("anything", selector="app=shop,tier!=front") == ["one"]
    with pytest.raises(NoNodeFoundError, match="pods with app=none has no pods"):
        await asking.pods("anything", selector="app=none")


async def test_a_deployment_comes_before_a_service_of_the_same_name(
    asking: Asking, workshop: Workshop
) -> None:
    deployment = workshop.deployment()
    workshop.replica_set(deployment, "new", revision=1, pods=["a"])
    ports = [{"name": "epmd", "port": 4369}]
    workshop.pod("other", labels={"app": "other"})
    workshop.put(data_manifests.service("shop", {"app": "other"}, ports, namespace=NAMESPACE))
    assert await asking.pods("shop") == ["shop-new-a"]
    assert await asking.pods("svc/shop") == ["other"]


async def test_a_pod_that_is_about_to_end_is_never_taken_unless_it_is_named(
    asking: Asking, workshop: Workshop
) -> None:
    sts = workshop.workload("StatefulSet", "shop", pods=["shop-0"])
    workshop.ending(workshop.pod("shop-1", owner=sts))
    assert await asking.pods("sts/shop") == ["shop-0"]
    assert await asking.pods("sts/shop", allow_unready="true") == ["shop-0"]
    (chosen,) = await asking.targets("sts/shop", pod="shop-1")
    assert (chosen.facts["pod"], chosen.facts["ready"]) == ("shop-1", "no")
    with pytest.raises(NoNodeFoundError, match=r"shop-1 \(terminating\)") as ending:
        await asking.pods("pod/shop-1")
    assert "-o pod=" in ending.value.remedy


async def test_pods_that_are_not_ready_are_taken_only_if_allowed_and_come_last(
    asking: Asking, workshop: Workshop
) -> None:
    sts = workshop.workload("StatefulSet", "shop", pods=["shop-1"])
    workshop.pod("shop-0", owner=sts, ready=False)
    assert await asking.pods("sts/shop") == ["shop-1"]
    first, second = await asking.targets("sts/shop", allow_unready="true")
    assert [first.facts["pod"], second.facts["pod"]] == ["shop-1", "shop-0"]
    assert [first.facts["ready"], second.facts["ready"]] == ["yes", "no"]


async def test_why_no_pod_is_usable_is_said(asking: Asking, workshop: Workshop) -> None:
    sts = workshop.workload("StatefulSet", "shop", pods=[])
    with pytest.raises(NoNodeFoundError, match="StatefulSet shop has no pods"):
        await asking.pods("sts/shop")
    broken = workshop.pod("shop-0", owner=sts, ready=False)
    broken["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    workshop.put(broken)
    pending = workshop.pod("shop-1", owner=sts, ready=False)
    pending["status"] |= {"phase": "Pending", "containerStatuses": []}
    workshop.put(pending)
    with pytest.raises(NoNodeFoundError) as unready:
        await asking.pods("sts/shop")
    assert unready.value.message == (
        "The StatefulSet shop has no pod that is ready: shop-0 (CrashLoopBackOff), shop-1 (pending)"
    )
    assert "-o allow-unready=true" in unready.value.remedy


async def test_a_new_revision_without_a_ready_pod_is_told_by_its_number(
    asking: Asking, workshop: Workshop
) -> None:
    deployment = workshop.deployment(revision=2)
    workshop.replica_set(deployment, "old", revision=1, pods=["a"])
    new = workshop.replica_set(deployment, "new", revision=2)
    workshop.pod("shop-new-b", owner=new, ready=False)
    with pytest.raises(NoNodeFoundError, match=r"Deployment shop, revision 2 .*shop-new-b \(not r"):
        await asking.pods("deploy/shop")


async def test_a_deployment_that_nobody_has_taken_care_of_yet(
    asking: Asking, workshop: Workshop
) -> None:
    workshop.deployment()
    with pytest.raises(NoNodeFoundError, match="no ReplicaSet yet"):
        await asking.pods("deploy/shop")


async def test_a_service_without_a_selector_leads_where_its_slices_lead(
    asking: Asking, workshop: Workshop
) -> None:
    ports = [{"name": "epmd", "port": 4369}]
    service = workshop.put(data_manifests.service("shop", {}, ports, namespace=NAMESPACE))
    with pytest.raises(NoNodeFoundError, match="leads to no pod"):
        await asking.pods("svc/shop")
    pods = [workshop.pod("b"), workshop.pod("a", ready=False)]
    workshop.put(data_manifests.endpoint_slice(service, pods, ports))
    assert await asking.pods("svc/shop") == ["b"]
    assert await asking.pods("svc/shop", allow_unready="true") == ["b", "a"]


async def test_a_name_that_nothing_has_is_told_with_the_nearest(
    asking: Asking, workshop: Workshop
) -> None:
    workshop.deployment("checkout")
    with pytest.raises(NameNotFoundError, match="is called 'chekout'") as unknown:
        await asking.pods("chekout")
    assert unknown.value.remedy == "Did you mean checkout?"
    with pytest.raises(NameNotFoundError, match=r"no Deployment$") as misspelt:
        await asking.pods("deploy/chekout")
    assert misspelt.value.remedy == "Did you mean checkout?"
    with pytest.raises(NameNotFoundError, match="pod nobody"):
        await asking.pods("deploy/checkout", pod="nobody")


async def test_who_may_see_only_some_kinds_finds_what_is_among_them(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    api.faults.answer(403, "/deployments|/jobs")
    workshop.workload("StatefulSet", "shop", pods=["shop-0"])
    assert await asking.pods("shop") == ["shop-0"]
    with pytest.raises(RefusedError, match=r"get deployments\.apps"):
        await asking.pods("other")


async def test_context_and_namespace_choose_the_cluster(
    api: KubernetesApi, workshop: Workshop, tmp_path: Path
) -> None:
    path = api.kubeconfig(tmp_path / "config", namespace=NAMESPACE)
    content = json.loads(path.read_text())
    nowhere = {"name": "b", "cluster": {"server": "https://127.0.0.1:1"}}
    content["clusters"].append(nowhere)
    content["contexts"].append({"name": "b", "context": {"cluster": "b", "user": "test"}})
    path.write_text(json.dumps({**content, "current-context": "b"}))
    workshop.pod("shop-1")
    workshop.put(manifests.pod("shop-1", namespace="other", address="10.9.9.9"))
    asking = Asking(path)
    (here,) = await asking.targets("pod/shop-1", context="test")
    (there,) = await asking.targets("pod/shop-1", context="test", namespace="other")
    assert (here.facts["namespace"], here.facts["context"]) == (NAMESPACE, "test")
    assert there.address == "10.9.9.9"


async def test_a_user_of_the_kubeconfig_counts(api: KubernetesApi, tmp_path: Path) -> None:
    user = by_token(api.users.add("robot"))
    asking = Asking(api.kubeconfig(tmp_path / "config", user=user, namespace=NAMESPACE))
    with pytest.raises(RefusedError, match='User "robot" cannot get'):
        await asking.pods("deploy/shop")


def test_labels_and_expressions_become_one_text() -> None:
    selector = {
        "matchLabels": {"tier": "back", "app": "shop"},
        "matchExpressions": [
            {"key": "track", "operator": "In", "values": ["stable", "canary"]},
            {"key": "zone", "operator": "NotIn", "values": ["b"]},
            {"key": "live", "operator": "Exists"},
            {"key": "old", "operator": "DoesNotExist"},
        ],
    }
    assert selector_text(selector) == (
        "app=shop,tier=back,track in (canary,stable),zone notin (b),live,!old"
    )


def test_an_operator_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown operator 'Near'"):
        selector_text({"matchExpressions": [{"key": "a", "operator": "Near"}]})
