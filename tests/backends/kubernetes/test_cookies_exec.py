"""The cookie of a node that no variable tells: real nodes, and one look into their container."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from backends.kubernetes.asking import NAMESPACE, Asking
from world.erlang import ErlangNode
from world.kubernetes import manifests
from world.kubernetes.deployments import ErlangDeployment, Template
from world.kubernetes.pods import HostPod

from erlconnect.api import (
    CookieNotFoundError,
    LookupFailedError,
    LookupTimeoutError,
    NodeName,
    RefusedError,
)
from erlconnect.testing import check_cookie_source
from erlconnect_backends.kubernetes.exec import ContainerProbe

if TYPE_CHECKING:
    from backends.kubernetes.workshop import Workshop
    from world.kubernetes.api import KubernetesApi

    from erlconnect.api import Cookie

COOKIE = "monster-4711"
OTHER = "not-this-one"


async def fetched(asking: Asking, target: str) -> Cookie | None:
    found = (await asking.targets(target))[0]
    return await asking.source("kubernetes-exec", found).fetch(found)


async def test_the_source_keeps_the_contract(api: KubernetesApi, asking: Asking) -> None:
    with ErlangDeployment(api.cluster, "shop", Template(cookie=COOKIE), namespace=NAMESPACE):
        (target,) = await asking.targets("deploy/shop")
        await check_cookie_source(asking.source("kubernetes-exec", target), target)


@pytest.mark.parametrize(
    ("template", "origin"),
    [
        (
            Template(cookie=COOKIE, files={".erlang.cookie": OTHER}),
            "the node's flags",
        ),
        (
            Template(cookie="", files={".erlang.cookie": COOKIE}),
            "/.erlang.cookie",
        ),
        (
            Template(cookie="", files={"releases/COOKIE": COOKIE, ".erlang.cookie": OTHER}),
            "/releases/COOKIE",
        ),
        (
            Template(
                cookie="",
                environment={"ERLANG_COOKIE": COOKIE},
                files={".erlang.cookie": OTHER},
            ),
            "the variable ERLANG_COOKIE",
        ),
        (
            Template(
                cookie=COOKIE,
                sidecars=[manifests.container("proxy")],
                sidecar_first=True,
                ports=[{"containerPort": 4369}],
            ),
            "the node's flags",
        ),
    ],
    ids=["flags", "home", "release", "variable", "sidecar"],
)
async def test_what_the_node_was_told_comes_before_its_files(
    api: KubernetesApi, asking: Asking, template: Template, origin: str
) -> None:
    with ErlangDeployment(api.cluster, "shop", template, namespace=NAMESPACE) as deployment:
        cookie = await fetched(asking, "deploy/shop")
        (pod,) = deployment.pods
    assert cookie is not None
    assert cookie.reveal() == COOKIE
    assert cookie.origin.endswith(f"{origin} of shop in the pod {pod.name}")


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        (("-setcookie", "monster", "-setcookie", "fromerlflags"), {}),
        (("-setcookie", "-84BlQcX_abc"), {"RELEASE_COOKIE": "-84BlQcX_abc"}),
        ((), {"ERL_FLAGS": "-setcookie a", "ERL_AFLAGS": "-setcookie a", "ERLANG_COOKIE": OTHER}),
    ],
    ids=["two", "dash", "variables"],
)
async def test_a_node_that_takes_no_flag_has_the_cookie_of_its_file(
    api: KubernetesApi, asking: Asking, flags: tuple[str, ...], environment: dict[str, str]
) -> None:
    files = {"releases/COOKIE": OTHER, ".erlang.cookie": COOKIE}
    template = Template(cookie="", flags=flags, environment=environment, files=files)
    with ErlangDeployment(api.cluster, "shop", template, namespace=NAMESPACE) as deployment:
        cookie = await fetched(asking, "deploy/shop")
        real = deployment.pods[0].node.evaluate("erlang:get_cookie().")
    assert cookie is not None
    assert cookie.reveal() == COOKIE
    assert real == f"'{COOKIE}'"


async def test_a_flag_is_taken_with_its_newline(api: KubernetesApi, asking: Asking) -> None:
    template = Template(cookie=f"{COOKIE}\n", environment={"ERL_FLAGS": "-setcookie o@h PEER"})
    with ErlangDeployment(api.cluster, "shop", template, namespace=NAMESPACE) as deployment:
        cookie = await fetched(asking, "deploy/shop")
        real = deployment.pods[0].node.evaluate("atom_to_list(erlang:get_cookie()).")
    assert cookie is not None
    assert (cookie.reveal(), cookie.note) == (f"{COOKIE}\n", "")
    assert real == f'"{COOKIE}\\n"'


async def test_each_of_several_nodes_in_one_container_has_its_own_cookie(
    api: KubernetesApi, asking: Asking
) -> None:
    """Whichever process has the lower number, and beside a console with the name of one of them."""
    template = Template(node="hello", cookie="of-hello")
    with ErlangDeployment(api.cluster, "shop", template, namespace=NAMESPACE) as deployment:
        (pod,) = deployment.pods
        (found,) = await asking.targets("deploy/shop")
        with ExitStack() as stack:
            for name, cookie in (("metrics", "of-metrics"), ("rem-1a2b-hello", "of-a-console")):
                stack.enter_context(
                    ErlangNode.start(
                        f"{name}@{pod.address}",
                        epmd_port=4369,
                        cookie=cookie,
                        environment=pod.main.environment,
                        inside=pod.inside,
                    )
                )
            cookies = {}
            for name in ("hello", "metrics", "unknown"):
                target = replace(found, node=NodeName(name=name, host=pod.address))
                cookie_found = await asking.source("kubernetes-exec", target).fetch(target)
                cookies[name] = cookie_found.reveal() if cookie_found else None
    assert cookies.pop("unknown") in ("of-hello", "of-metrics")
    assert cookies == {"hello": "of-hello", "metrics": "of-metrics"}


async def test_where_nothing_may_be_run_an_optional_look_leaves_it_to_the_next_source(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    """CouchDB's chart: a cookie in ERL_FLAGS beside one that may stand in the image's vm.args."""
    flags = {"name": "ERL_FLAGS", "value": f"-name couchdb -setcookie {COOKIE}"}
    workshop.pod("shop-1", containers=[manifests.container("app", env=[flags])])
    api.pods.run(NAMESPACE, "shop-1", HostPod())
    api.faults.answer(403, "/exec")
    (found,) = await asking.targets("pod/shop-1")
    assert [ref.name for ref in found.cookies] == ["kubernetes-exec", "kubernetes-env"]
    assert await asking.source("kubernetes-exec", found).fetch(found) is None
    cookie = await asking.source("kubernetes-env", found).fetch(found)
    assert cookie is not None
    assert cookie.reveal() == COOKIE


async def test_one_request_looks_at_everything(api: KubernetesApi, asking: Asking) -> None:
    with ErlangDeployment(api.cluster, "shop", Template(cookie=COOKIE), namespace=NAMESPACE):
        (target,) = await asking.targets("deploy/shop")
        api.requests.forget()
        await asking.source("kubernetes-exec", target).fetch(target)
    assert len(api.requests.seen("/exec")) == 1
    assert all(COOKIE not in line for line in api.requests.seen())


def pod_here(api: KubernetesApi, workshop: Workshop) -> None:
    """A pod whose container is this machine."""
    workshop.pod("shop-1", containers=[manifests.container("app")])
    api.pods.run(NAMESPACE, "shop-1", HostPod())


async def test_a_container_in_which_nothing_can_be_run_is_told(
    api: KubernetesApi, asking: Asking, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod_here(api, workshop)
    monkeypatch.setattr(ContainerProbe, "words", ("no-shell",))
    with pytest.raises(CookieNotFoundError, match="executable file not found"):
        await fetched(asking, "pod/shop-1")


async def test_who_may_not_run_anything_is_told_which_right_is_missing(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    pod_here(api, workshop)
    api.faults.answer(403, "/exec")
    with pytest.raises(RefusedError, match="to create pods/exec or get pods/exec") as refused:
        await fetched(asking, "pod/shop-1")
    assert 'resources: ["pods/exec", "pods/portforward"]' in refused.value.remedy


async def test_a_server_that_fails_is_no_missing_cookie(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    pod_here(api, workshop)
    api.faults.answer(500, "/exec")
    with pytest.raises(LookupFailedError, match="a look into app in the pod shop-1"):
        await fetched(asking, "pod/shop-1")


async def test_a_busy_server_is_not_asked_again_before_it_wants(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    pod_here(api, workshop)
    api.faults.answer(429, "/exec", headers={"Retry-After": "3600"})
    with pytest.raises(LookupTimeoutError) as busy:
        await fetched(asking, "pod/shop-1")
    assert "try again in 3600 s" in busy.value.remedy
    assert len(api.requests.seen("/exec")) == 1


async def test_a_moment_of_trouble_is_passed_over(api: KubernetesApi, asking: Asking) -> None:
    with ErlangDeployment(api.cluster, "shop", Template(cookie=COOKIE), namespace=NAMESPACE):
        api.faults.answer(503, "/exec", times=1)
        api.faults.reset("/exec", times=1)
        cookie = await fetched(asking, "deploy/shop")
    assert cookie is not None
