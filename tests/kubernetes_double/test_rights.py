"""The double's own authorization: Roles and bindings decide, refusals are worded as in truth."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from kubernetes_double.asking import ask
from world.kubernetes import manifests
from world.kubernetes.kubeconfig import by_token
from world.kubernetes.rbac import bind

if TYPE_CHECKING:
    from pathlib import Path

    from world.kubernetes.api import KubernetesApi
    from world.kubernetes.kubectl import Kubectl

PODS = "/api/v1/namespaces/shop/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def role(*rules: tuple[str, str, str], kind: str = "Role", **fields: object) -> dict[str, Any]:
    """A role whose rules are (group, resources, verbs), words with spaces between."""
    place = {"namespace": "shop"} if kind == "Role" else {}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "dev", **place},
        "rules": [
            {"apiGroups": [group], "resources": words.split(), "verbs": verbs.split(), **fields}
            for group, words, verbs in rules
        ],
    }


@pytest.fixture
def dev(api: KubernetesApi) -> str:
    """The token of a user who has no rights yet."""
    return api.users.add("dev")


@pytest.mark.parametrize(
    ("path", "subject", "what"),
    [
        (PODS, "pods", 'list resource "pods"'),
        (f"{PODS}?watch=true", "pods", 'watch resource "pods"'),
        (f"{PODS}/shop-1", 'pods "shop-1"', 'get resource "pods"'),
        (
            f"{PODS}/shop-1/portforward?ports=1",
            'pods "shop-1"',
            'get resource "pods/portforward"',
        ),
        (f"{DEPLOYMENTS}/shop", 'deployments.apps "shop"', 'get resource "deployments"'),
        ("/api/v1/pods", "pods", 'list resource "pods"'),
    ],
)
def test_refusals_in_words(
    api: KubernetesApi, dev: str, path: str, subject: str, what: str
) -> None:
    status, body = ask(api, path, token=dev)
    assert (status, body["kind"], body["reason"], body["code"]) == (403, "Status", "Forbidden", 403)
    group = "apps" if path.startswith("/apis/apps") else ""
    where = 'in the namespace "shop"' if "/namespaces/" in path else "at the cluster scope"
    assert body["message"] == (
        f'{subject} is forbidden: User "dev" cannot {what} in API group "{group}" {where}'
    )


def test_no_user_and_an_unknown_one(api: KubernetesApi) -> None:
    status, body = ask(api, PODS, token="")
    assert (status, 'User "system:anonymous" cannot list' in body["message"]) == (403, True)
    status, body = ask(api, PODS, token="dev-0")
    assert (status, body["message"]) == (401, "Unauthorized")


def test_a_role_gives_what_it_says_and_no_more(api: KubernetesApi, dev: str) -> None:
    bind(api.objects, role(("", "pods", "get list"), ("apps", "deployments", "get")), "dev")
    api.objects.put(manifests.deployment("shop", namespace="shop"))
    statuses = {
        path: ask(api, path, token=dev)[0]
        for path in (PODS, f"{PODS}/shop-1", f"{DEPLOYMENTS}/shop", DEPLOYMENTS, "/api/v1/pods")
    }
    assert list(statuses.values()) == [200, 200, 200, 403, 403]
    assert ask(api, "/api/v1/namespaces/other/pods", token=dev)[0] == 403
    api.objects.remove("rolebindings", "shop", "dev")
    assert ask(api, PODS, token=dev)[0] == 403


def test_a_role_for_named_objects(api: KubernetesApi, dev: str) -> None:
    bind(api.objects, role(("", "pods", "get list"), resourceNames=["shop-1"]), "dev")
    assert ask(api, f"{PODS}/shop-1", token=dev)[0] == 200
    assert ask(api, f"{PODS}/shop-2", token=dev)[0] == 403
    assert ask(api, PODS, token=dev)[0] == 403
    selector = quote("metadata.name=shop-1")
    assert ask(api, f"{PODS}?fieldSelector={selector}", token=dev)[0] == 200


def test_a_cluster_role_everywhere(api: KubernetesApi, dev: str) -> None:
    bind(api.objects, role(("*", "*", "*"), kind="ClusterRole"), "dev")
    assert ask(api, "/api/v1/pods", token=dev)[0] == 200


def test_reviews_say_what_requests_meet(api: KubernetesApi, dev: str) -> None:
    bind(api.objects, role(("", "pods/portforward", "create")), "dev")

    def allowed(**attributes: str) -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"namespace": "shop", "resource": "pods", **attributes}},
        }
        status, body = ask(api, REVIEWS, method="POST", token=dev, body=review)
        assert status == 200
        return bool(body["status"]["allowed"])

    assert allowed(verb="create", subresource="portforward")
    assert not allowed(verb="get", subresource="portforward")
    assert not allowed(verb="get")


@pytest.mark.parametrize(
    ("asked", "given", "missing"),
    [
        ("get", "get", ""),
        ("get", "create", "cannot get"),
        ("get create", "get", "cannot create"),
        ("get create", "get create", ""),
    ],
)
def test_a_stream_needs_the_verbs_of_the_servers_version(
    api: KubernetesApi, dev: str, asked: str, given: str, missing: str
) -> None:
    api.cluster.stream_verbs = tuple(asked.split())
    bind(api.objects, role(("", "pods/exec", given)), "dev")
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"}
    status, body = ask(api, f"{PODS}/shop-1/exec", token=dev, headers=upgrade)
    if missing:
        assert (status, missing in body["message"]) == (403, True)
    else:
        assert (status, "at least 1 command" in body["message"]) == (400, True)


def test_kubectl_with_the_smallest_role(
    api: KubernetesApi, dev: str, kubectl: Kubectl, tmp_path: Path
) -> None:
    path = api.kubeconfig(tmp_path / "dev", user=by_token(dev), namespace="shop")
    words = ("exec", "shop-1", f"--kubeconfig={path}", "--", "echo", "here")
    bind(api.objects, role(("", "pods", "get"), ("", "pods/exec", "get")), "dev")
    assert 'cannot create resource "pods/exec"' in kubectl.fails(*words)
    bind(api.objects, role(("", "pods", "get"), ("", "pods/exec", "get create")), "dev")
    assert kubectl.says(*words) == "here"


def test_a_body_in_another_format(api: KubernetesApi) -> None:
    protobuf = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    status, body = ask(api, REVIEWS, method="POST", body={}, headers=protobuf)
    assert (status, body["reason"]) == (415, "UnsupportedMediaType")


def test_kubectl_applies_a_role_which_then_holds(
    api: KubernetesApi, dev: str, kubectl: Kubectl
) -> None:
    given = role(("", "pods", "list"))
    binding = {
        "apiVersion": given["apiVersion"],
        "kind": "RoleBinding",
        "metadata": given["metadata"],
        "subjects": [{"kind": "User", "name": "dev"}],
        "roleRef": {"kind": "Role", "name": "dev", "apiGroup": "rbac.authorization.k8s.io"},
    }
    assert ask(api, PODS, token=dev)[0] == 403
    for item in (given, binding):
        words = ("apply", "--validate=false", "-f", "-")
        done = kubectl.run(*words, given=json.dumps(item).encode())
        assert done.stdout.endswith(b"/dev created\n"), done.stderr
    assert ask(api, PODS, token=dev)[0] == 200
