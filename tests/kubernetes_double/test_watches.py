"""What a watch is told, line by line."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes_double.asking import ask, asking
from world.kubernetes import manifests

if TYPE_CHECKING:
    from world.kubernetes.api import KubernetesApi

PODS = "/api/v1/namespaces/shop/pods"


def pod(name: str, app: str = "shop", **options: Any) -> dict[str, Any]:
    return manifests.pod(name, namespace="shop", labels={"app": app}, **options)


def event(response: http.client.HTTPResponse) -> tuple[str, str]:
    """The next event: its type and the name of its object."""
    line = json.loads(response.readline())
    return line["type"], line["object"]["metadata"].get("name", "")


def test_changes_are_told_while_they_happen(api: KubernetesApi) -> None:
    version = ask(api, PODS)[1]["metadata"]["resourceVersion"]
    with asking(api, f"{PODS}?watch=true&resourceVersion={version}") as watch:
        api.objects.put(pod("shop-2"))
        assert event(watch) == ("ADDED", "shop-2")
        api.objects.put(pod("shop-2", ready=False))
        assert event(watch) == ("MODIFIED", "shop-2")
        api.objects.put(manifests.pod("elsewhere"))
        api.objects.remove("pods", "shop", "shop-2")
        assert event(watch) == ("DELETED", "shop-2")


def test_what_comes_into_the_selection_and_what_leaves_it(api: KubernetesApi) -> None:
    with asking(api, f"{PODS}?watch=true&labelSelector=app%3Dtill") as watch:
        api.objects.put(pod("shop-1", "till"))
        assert event(watch) == ("ADDED", "shop-1")
        api.objects.put(pod("shop-1", "shop"))
        assert event(watch) == ("DELETED", "shop-1")


def test_without_a_version_what_is_there_is_told_first(api: KubernetesApi) -> None:
    with asking(api, f"{PODS}?watch=1") as watch:
        assert event(watch) == ("ADDED", "shop-1")


def test_a_watch_ends_when_its_time_is_over(api: KubernetesApi) -> None:
    with asking(api, f"{PODS}?watch=true&timeoutSeconds=1&resourceVersion=999999") as watch:
        assert watch.read() == b""


def test_history_that_is_forgotten(api: KubernetesApi) -> None:
    version = api.objects.version
    api.objects.put(pod("shop-2"))
    api.objects.forget_history()
    with asking(api, f"{PODS}?watch=true&resourceVersion={version}") as watch:
        line = json.loads(watch.readline())
        assert (line["type"], line["object"]["kind"]) == ("ERROR", "Status")
        assert (line["object"]["code"], line["object"]["reason"]) == (410, "Expired")
        assert watch.read() == b""


@pytest.mark.parametrize("query", ["labelSelector=a%28", "resourceVersion=x", "timeoutSeconds=-1"])
def test_what_is_no_proper_watch(api: KubernetesApi, query: str) -> None:
    status, body = ask(api, f"{PODS}?watch=true&{query}")
    assert (status, body["reason"]) == (400, "BadRequest")


def test_bookmarks_for_those_who_want_them(api: KubernetesApi) -> None:
    query = f"watch=true&allowWatchBookmarks=true&resourceVersion={api.objects.version}"
    with asking(api, f"{PODS}?{query}") as watch:
        api.objects.put(manifests.pod("elsewhere"))
        kind, _ = event(watch)
        assert kind == "BOOKMARK"


def test_the_server_goes_away_under_a_watch(api: KubernetesApi) -> None:
    with asking(api, f"{PODS}?watch=true&resourceVersion={api.objects.version}") as watch:
        api.go_away()
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            watch.read()
