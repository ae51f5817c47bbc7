"""All pods of a Deployment, each with an alias, while they are replaced: real nodes in pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.machine import FROM_VARIABLE, machine
from world.connected import REMOTE_COOKIE
from world.kubernetes.api import KubernetesApi
from world.kubernetes.deployments import ErlangDeployment, Template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

SECONDS = 40


def nodes(ready: Mapping[str, Any]) -> dict[str, str]:
    return {one["alias"]: one["node"] for one in ready["aliases"]}


@pytest.mark.parametrize("name", ["shop", "shop@127.0.0.1"])
def test_pods_come_and_go(tmp_path: Path, name: str) -> None:
    template = Template(node=name, cookie=REMOTE_COOKIE)
    with (
        KubernetesApi() as api,
        ErlangDeployment(api.cluster, "shop", template, replicas=2) as shop,
        machine() as here,
    ):
        kubeconfig = api.kubeconfig(tmp_path / "kubeconfig")
        words = ["-b", "kubernetes", "shop", "-o", f"kubeconfig={kubeconfig}"]
        more = ["-o", "namespace=shop", "-o", "look-again=3600", "--all", *FROM_VARIABLE]
        with here.session(*words, *more) as session, here.node() as dev:
            ready = session.ready_with(2)
            assert sorted(nodes(ready)) == ["shop-2@127.0.0.1", "shop@127.0.0.1"]
            assert sorted(nodes(ready).values()) == sorted(pod.node.name for pod in shop.pods)
            assert {one["transport"] for one in ready["aliases"]} == {"kubernetes-port-forward"}
            called = "[erpc:call(N, erlang, node, []) || N <- [%s]]."
            both = "'shop@127.0.0.1','shop-2@127.0.0.1'"
            assert dev.evaluate(called % both) == f"[{both}]"
            dev.evaluate("[disconnect_node(N) || N <- nodes(hidden)].")

            new = shop.add()
            again = nodes(session.ready_with(3))
            assert again["shop-3@127.0.0.1"] == new.node.name
            all_three = f"{both},'shop-3@127.0.0.1'"
            assert dev.evaluate(called % all_three) == f"[{all_three}]"
            dev.evaluate("[disconnect_node(N) || N <- nodes(hidden)].")

            shop.remove(new)
            lost = session.wait_event("target-lost", SECONDS)
            assert (lost["alias"], lost["node"]) == ("shop-3@127.0.0.1", new.node.name)
            assert dev.evaluate(called % both) == f"[{both}]"
