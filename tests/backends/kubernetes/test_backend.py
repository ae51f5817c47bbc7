"""What a pod is as a target, and how the list of targets is kept fresh."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from backends.kubernetes.asking import NAMESPACE, Asking
from world.kubernetes import data_manifests, manifests
from world.kubernetes.kubeconfig import by_token

from erlconnect.api import DescribesRights, NodeName, Query, RefusedError, UsageError
from erlconnect.testing import StandaloneSession, check_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from backends.kubernetes.workshop import Workshop
    from world.kubernetes.api import KubernetesApi

    from erlconnect.api import Target


def literal(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value}


POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


async def only(asking: Asking, workshop: Workshop, **container: Any) -> Target:
    workshop.pod("shop-1", containers=[manifests.container("app", **container)])
    (target,) = await asking.targets("pod/shop-1")
    return target


async def test_the_backend_keeps_the_contract(asking: Asking, workshop: Workshop) -> None:
    workshop.workload("StatefulSet", "shop", pods=["shop-0", "shop-1"])
    await check_backend(
        asking.backend(), Query(service="shop"), missing=Query(service="deploy/nobody")
    )


async def test_a_pod_that_tells_nothing_is_asked_itself(asking: Asking, workshop: Workshop) -> None:
    target = await only(asking, workshop)
    assert target.node == NodeName(name="", host="10.3.0.1")
    assert (target.address, target.dist_port, target.epmd_port) == ("10.3.0.1", None, 4369)
    assert target.facts == {
        "context": "test",
        "namespace": "shop",
        "pod": "shop-1",
        "container": "app",
        "node": "machine-1",
        "ready": "yes",
        "hostname": "shop-1",
    }


async def test_its_offers_know_the_place_whatever_becomes_current(
    asking: Asking, workshop: Workshop
) -> None:
    target = await only(asking, workshop)
    place = {"kubeconfig": asking.kubeconfig, "context": "test", "namespace": "shop"}
    assert [ref.name for ref in target.cookies] == ["kubernetes-env", "kubernetes-exec"]
    for ref in target.cookies:
        inside = {"pod": "shop-1", "container": "app", "target": "pod/shop-1"}
        assert ref.settings == {**place, **inside}
    (way,) = target.transports
    assert (way.name, way.settings) == ("kubernetes-port-forward", {**place, "pod": "shop-1"})


async def test_a_target_that_names_no_pods_is_not_handed_on(
    asking: Asking, workshop: Workshop
) -> None:
    workshop.pod("shop-1", labels={"app": "shop"})
    for options in ({"selector": "app=shop"}, {"pod": "shop-1"}):
        (target,) = await asking.targets("Any name", **options)
        assert {ref.settings["target"] for ref in target.cookies} == {""}


@pytest.mark.parametrize(
    ("env", "node"),
    [
        ([literal("RELEASE_NODE", "shop@10.3.0.1")], "shop@10.3.0.1"),
        ([POD_IP, literal("RELEASE_NODE", "shop@$(POD_IP)")], "shop@10.3.0.1"),
        ([literal("ERL_FLAGS", "-name shop@a.b")], "shop@a.b"),
        ([literal("RELEASE_NODE", "shop")], "shop@shop-1"),
        ([literal("RELEASE_NODE", "shop"), literal("RELEASE_DISTRIBUTION", "name")], "shop@IP"),
        ([literal("ERL_FLAGS", "-sname shop")], "shop@shop-1"),
        ([literal("ERL_FLAGS", "-name shop")], "shop@IP"),
        ([literal("RELEASE_NODE", "shop@$(POD_IP)")], "shop@IP"),
        ([literal("RABBITMQ_NODENAME", "rabbit@shop-1")], "rabbit@shop-1"),
        ([POD_IP, literal("EMQX_NODE__NAME", "emqx@$(POD_IP)")], "emqx@IP"),
        ([literal("ERL_FLAGS", "-name first -name second")], "first@IP"),
    ],
)
async def test_variables_tell_the_name(
    asking: Asking, workshop: Workshop, env: list[dict[str, Any]], node: str
) -> None:
    target = await only(asking, workshop, env=env)
    assert str(target.node) == node.replace("IP", "10.3.0.1")


async def test_a_release_without_distribution_is_told(asking: Asking, workshop: Workshop) -> None:
    container = manifests.container("app", env=[literal("RELEASE_DISTRIBUTION", "none")])
    workshop.pod("shop-1", containers=[container])
    session = StandaloneSession()
    await asking.backend().discover(Query(service="pod/shop-1"), session)
    (warning,) = session.warnings
    assert warning.startswith("RELEASE_DISTRIBUTION=none in app of the pod shop-1: such a release")


async def test_variables_and_the_command_line_tell_ports_and_protocol(
    asking: Asking, workshop: Workshop
) -> None:
    ports = "-kernel inet_dist_listen_min 9000 inet_dist_listen_max 9010"
    target = await only(
        asking,
        workshop,
        env=[literal("ERL_EPMD_PORT", "5555"), literal("ERL_AFLAGS", ports)],
        command=["erl", "-proto_dist", "inet_tls"],
    )
    assert (target.epmd_port, target.dist_port) == (5555, None)
    assert target.facts["dist_ports"] == "9000-9010"
    assert target.facts["protocol"] == "inet_tls"


@pytest.mark.parametrize(
    "container",
    [
        {"env": [literal("ERL_DIST_PORT", "9100")]},
        {"args": ["-erl_epmd_port", "9100"]},
        {"args": ["-kernel", "inet_dist_listen_min", "9100", "inet_dist_listen_max", "9100"]},
    ],
)
async def test_a_port_that_is_told_needs_no_epmd(
    asking: Asking, workshop: Workshop, container: dict[str, Any]
) -> None:
    assert (await only(asking, workshop, **container)).dist_port == 9100


async def test_all_pods_of_a_template_share_what_is_asked(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    node = {"RELEASE_NODE": "shop@host"}
    workshop.put(data_manifests.config_map("node", node, namespace=NAMESPACE))
    container = manifests.container("app", envFrom=[{"configMapRef": {"name": "node"}}])
    for number in range(3):
        labels = {"app": "shop"}
        workshop.pod(f"shop-{number}", labels=labels, containers=[container])
    targets = await asking.targets("x", selector="app=shop")
    assert {str(target.node) for target in targets} == {"shop@host"}
    assert len(api.requests.seen("configmaps")) == 1


async def test_what_may_not_be_read_is_a_warning_and_no_obstacle(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    api.faults.answer(403, "secrets/")
    container = manifests.container("app", envFrom=[{"secretRef": {"name": "all"}}])
    workshop.pod("shop-1", containers=[container])
    session = StandaloneSession()
    (target,) = await asking.backend().discover(Query(service="pod/shop-1"), session)
    assert target.node.name == ""
    (warning,) = session.warnings
    assert "left unread: Asked for the Secret all in the namespace shop" in warning


@pytest.mark.parametrize(
    ("verbs", "missing"),
    [
        (["create", "get"], ""),
        (["create"], "get pods/portforward"),
        ([], "create pods/portforward and get pods/portforward"),
    ],
)
async def test_a_verb_of_the_port_forward_that_is_missing_is_named_beforehand(
    api: KubernetesApi, workshop: Workshop, tmp_path: Path, verbs: list[str], missing: str
) -> None:
    workshop.pod("shop-1")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
    if verbs:
        rules.append({"apiGroups": [""], "resources": ["pods/portforward"], "verbs": verbs})
    workshop.grant("robot", rules)
    user = by_token(api.users.add("robot"))
    asking = Asking(api.kubeconfig(tmp_path / "config", user=user, namespace=NAMESPACE))
    session = StandaloneSession()
    await asking.backend().discover(Query(service="pod/shop-1"), session)
    said = "a port-forward may be refused: {} is not allowed in the namespace shop (Kubernetes asks"
    assert [warning.partition(" for ")[0] for warning in session.warnings] == (
        [said.format(missing)] if missing else []
    )


@pytest.mark.parametrize("code", [403, 404, 500])
async def test_a_server_that_does_not_say_which_rights_there_are_is_no_obstacle(
    api: KubernetesApi, asking: Asking, workshop: Workshop, code: int
) -> None:
    api.faults.answer(code, "selfsubjectaccessreviews")
    workshop.pod("shop-1")
    session = StandaloneSession()
    await asking.backend().discover(Query(service="pod/shop-1"), session)
    assert session.warnings == []


async def test_the_container_is_a_setting(asking: Asking, workshop: Workshop) -> None:
    app = manifests.container("app", env=[literal("RELEASE_NODE", "shop@a")])
    tool = manifests.container("tool", env=[literal("RELEASE_NODE", "tool@a")])
    workshop.pod("shop-1", containers=[app, tool])
    (target,) = await asking.targets("pod/shop-1", container="tool")
    assert (str(target.node), target.facts["container"]) == ("tool@a", "tool")
    with pytest.raises(UsageError, match="no container 'none'"):
        await asking.targets("pod/shop-1", container="none")


async def test_services_are_what_may_be_completed(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    workshop.deployment("web")
    workshop.workload("StatefulSet", "db", pods=[])
    backend = asking.backend()
    assert await backend.services(StandaloneSession()) == ["deploy/web", "sts/db"]
    api.faults.answer(403, "/deployments")
    assert await backend.services(StandaloneSession()) == ["sts/db"]


async def upcoming(changes: AsyncIterator[Sequence[Target]]) -> list[str]:
    async with asyncio.timeout(20):
        return [target.facts["pod"] for target in await anext(changes)]


async def test_a_watch_tells_of_pods_that_come_and_go(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    sts = workshop.workload("StatefulSet", "shop", pods=["shop-0"])
    changes = asking.backend().watch(Query(service="sts/shop"), StandaloneSession())
    assert await upcoming(changes) == ["shop-0"]
    second = workshop.pod("shop-1", owner=sts)
    assert await upcoming(changes) == ["shop-0", "shop-1"]
    workshop.ending(second)
    assert await upcoming(changes) == ["shop-0"]
    api.objects.remove("pods", NAMESPACE, "shop-0")
    workshop.pod("shop-2", owner=sts)
    assert await upcoming(changes) == ["shop-2"]


async def test_a_watch_outlives_the_servers_absence_and_a_history_that_is_gone(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    sts = workshop.workload("StatefulSet", "shop", pods=["shop-0"])
    changes = asking.backend().watch(Query(service="sts/shop"), StandaloneSession())
    assert await upcoming(changes) == ["shop-0"]
    api.go_away()
    workshop.pod("shop-1", owner=sts)
    api.objects.forget_history()
    api.come_back()
    assert await upcoming(changes) == ["shop-0", "shop-1"]


async def test_a_group_without_a_usable_pod_yields_nothing_until_it_has_one(
    asking: Asking, workshop: Workshop
) -> None:
    sts = workshop.workload("StatefulSet", "shop", pods=[])
    changes = asking.backend().watch(Query(service="sts/shop"), StandaloneSession())
    async with asyncio.TaskGroup() as group:
        first = group.create_task(upcoming(changes))
        await asyncio.to_thread(workshop.pod, "shop-0", owner=sts, ready=False)
        await asyncio.to_thread(workshop.pod, "shop-1", owner=sts)
    assert first.result() == ["shop-1"]


async def role(asking: Asking, target: str) -> dict[str, Any]:
    backend = asking.backend()
    assert isinstance(backend, DescribesRights)
    text = await backend.rights(Query(service=target), StandaloneSession())
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def rules(role: dict[str, Any]) -> dict[str, list[str]]:
    return {
        "/".join([*rule["resources"], *rule.get("resourceNames", ())]): rule["verbs"]
        for rule in role["rules"]
    }


POD_RULES = {"pods": ["get", "list"], "pods/portforward": ["create", "get"]}


async def test_the_role_names_the_secrets_that_hold_the_cookie(
    asking: Asking, workshop: Workshop
) -> None:
    source = {"secretKeyRef": {"name": "shop", "key": "cookie"}}
    container = manifests.container("app", env=[{"name": "RELEASE_COOKIE", "valueFrom": source}])
    deployment = workshop.deployment()
    owner = workshop.replica_set(deployment, "a", revision=1)
    workshop.pod("shop-a-1", owner=owner, containers=[container])
    assert rules(await role(asking, "deploy/shop")) == {
        **POD_RULES,
        "secrets/shop": ["get"],
        "deployments/shop": ["get"],
        "replicasets": ["list"],
    }


async def test_a_cookie_in_no_variable_needs_a_look_inside(
    asking: Asking, workshop: Workshop
) -> None:
    workshop.pod("shop-1")
    exec_rule = {"pods/exec/pods/portforward": ["create", "get"]}
    assert rules(await role(asking, "pod/shop-1")) == {"pods": ["get", "list"], **exec_rule}


async def test_who_may_not_see_the_pods_yet_gets_a_role_for_any_secret(
    api: KubernetesApi, tmp_path: Path
) -> None:
    user = by_token(api.users.add("robot"))
    asking = Asking(api.kubeconfig(tmp_path / "config", user=user, namespace=NAMESPACE))
    found = rules(await role(asking, "sts/shop"))
    assert found == {**POD_RULES, "secrets": ["get"], "statefulsets/shop": ["get"]}
    with pytest.raises(RefusedError):
        await asking.pods("sts/shop")
