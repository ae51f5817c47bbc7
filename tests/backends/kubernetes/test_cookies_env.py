"""The cookie among the variables of a pod's container."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from backends.kubernetes.asking import NAMESPACE, Asking
from world.kubernetes import data_manifests, manifests

from erlconnect.api import (
    ConfigurationError,
    CookieNotFoundError,
    NameNotFoundError,
    NodeName,
    NoNodeFoundError,
    RefusedError,
    Target,
)
from erlconnect.testing import check_cookie_source

if TYPE_CHECKING:
    from backends.kubernetes.workshop import Workshop
    from world.kubernetes.api import KubernetesApi

    from erlconnect.api import Cookie

COOKIE = "monster-4711"
NAMES = ("RELEASE_COOKIE", "ERLANG_COOKIE", "K8S_NODE_COOKIE", "ELIXIR_REMSH_COOKIE")


def literal(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value}


def from_secret(name: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": "shop", "key": key}}}


async def target(asking: Asking, workshop: Workshop, *env: Any, **fields: Any) -> Target:
    containers = [manifests.container("app", env=list(env), **fields)]
    workshop.pod("shop-1", containers=containers)
    (found,) = await asking.targets("pod/shop-1")
    return found


async def fetched(asking: Asking, target: Target, **options: str) -> Cookie | None:
    return await asking.source("kubernetes-env", target, **options).fetch(target)


@pytest.fixture(autouse=True)
def secret(api: KubernetesApi) -> None:
    values: dict[str, str | bytes] = {
        "cookie": COOKIE,
        "ended": f"{COOKIE}\r\n",
        "blank": "\n",
        "latin": b"m\xfcsli",
        "long": "secret" * 50,
    }
    api.objects.put(data_manifests.secret("shop", values, namespace=NAMESPACE))


async def test_the_source_keeps_the_contract(asking: Asking, workshop: Workshop) -> None:
    found = await target(asking, workshop, from_secret("RELEASE_COOKIE", "cookie"))
    await check_cookie_source(asking.source("kubernetes-env", found), found)


async def test_names_have_an_order(asking: Asking, workshop: Workshop) -> None:
    env = [literal(name, f"cookie-{number}") for number, name in enumerate(NAMES)]
    for number in range(len(env)):
        found = await target(asking, workshop, *reversed(env[number:]))
        cookie = await fetched(asking, found)
        assert cookie is not None
        assert cookie.reveal() == f"cookie-{number}"
        assert cookie.origin == f"{NAMES[number]} of app in the pod shop-1"


async def test_other_names_replace_the_usual_ones(asking: Asking, workshop: Workshop) -> None:
    env = (literal("RELEASE_COOKIE", "usual"), literal("MY_COOKIE", COOKIE))
    found = await target(asking, workshop, *env)
    cookie = await fetched(asking, found, names="NO_COOKIE,MY_COOKIE")
    assert cookie is not None
    assert cookie.reveal() == COOKIE
    assert await fetched(asking, found, names="NO_COOKIE") is None


@pytest.mark.parametrize(
    ("key", "cookie", "note"),
    [
        ("cookie", COOKIE, ""),
        ("ended", COOKIE, "a newline at the end of ERLANG_COOKIE of app in the pod shop-1"),
        ("latin", "müsli", ""),
    ],
)
async def test_values_of_secrets(
    asking: Asking, workshop: Workshop, key: str, cookie: str, note: str
) -> None:
    found = await target(asking, workshop, from_secret("ERLANG_COOKIE", key))
    given = await fetched(asking, found)
    assert given is not None
    assert given.reveal() == cookie
    assert given.note == (f"{note} was left out" if note else "")


async def test_a_release_takes_its_cookie_with_the_newline(
    asking: Asking, workshop: Workshop
) -> None:
    given = await fetched(
        asking, await target(asking, workshop, from_secret("RELEASE_COOKIE", "ended"))
    )
    assert given is not None
    assert (given.reveal(), given.note) == (f"{COOKIE}\r\n", "")


@pytest.mark.parametrize(
    "env",
    [
        [literal("RELEASE_COOKIE", "-84BlQcX_abc")],
        [literal("RELEASE_COOKIE", COOKIE), literal("ERL_FLAGS", "-setcookie other")],
        [literal("ERL_FLAGS", "-setcookie a"), literal("ERL_ZFLAGS", "-setcookie a")],
    ],
)
async def test_flags_that_the_node_does_not_take_leave_it_to_its_file(
    asking: Asking, workshop: Workshop, env: list[dict[str, Any]]
) -> None:
    assert await fetched(asking, await target(asking, workshop, *env)) is None


@pytest.mark.parametrize(
    "name",
    [
        "RABBITMQ_ERLANG_COOKIE",
        "RABBITMQ_ERL_COOKIE",
        "EMQX_NODE__COOKIE",
        "DOCKER_VERNEMQ_DISTRIBUTED_COOKIE",
        "COUCHDB_ERLANG_COOKIE",
    ],
)
async def test_variables_of_common_servers_hold_the_cookie(
    asking: Asking, workshop: Workshop, name: str
) -> None:
    cookie = await fetched(asking, await target(asking, workshop, from_secret(name, "ended")))
    assert cookie is not None
    assert cookie.reveal() == COOKIE


async def test_the_address_of_a_file_is_no_cookie(asking: Asking, workshop: Workshop) -> None:
    env = literal("EMQX_NODE__COOKIE", "file:///run/secrets/cookie")
    assert await fetched(asking, await target(asking, workshop, env)) is None


async def test_the_cookie_of_another_node_is_not_taken(asking: Asking, workshop: Workshop) -> None:
    args = [
        "erl",
        "-name",
        "shop@a.b",
        "-setcookie",
        COOKIE,
        "-setcookie",
        "other@10.9.9.9",
        "PEER",
    ]
    given = await fetched(asking, await target(asking, workshop, args=args))
    assert given is not None
    assert given.reveal() == COOKIE


async def test_a_blank_variable_is_passed_over(asking: Asking, workshop: Workshop) -> None:
    blank = (from_secret("RELEASE_COOKIE", "blank"), literal("ERLANG_COOKIE", COOKIE))
    cookie = await fetched(asking, await target(asking, workshop, *blank))
    assert cookie is not None
    assert cookie.reveal() == COOKIE


@pytest.mark.parametrize(
    "fields",
    [
        {"args": ["--cookie", "$(ANY)"]},
        {"command": ["erl", "-setcookie", COOKIE]},
        {"env_flags": f"-setcookie {COOKIE}"},
    ],
)
async def test_a_flag_counts_where_no_variable_is_set(
    asking: Asking, workshop: Workshop, fields: dict[str, Any]
) -> None:
    env = [from_secret("ANY", "cookie")]
    if flags := fields.pop("env_flags", ""):
        env.append(literal("ERL_FLAGS", flags))
    cookie = await fetched(asking, await target(asking, workshop, *env, **fields))
    assert cookie is not None
    assert (cookie.reveal(), cookie.origin) == (COOKIE, "a flag of app in the pod shop-1")


async def test_nothing_is_none(asking: Asking, workshop: Workshop) -> None:
    assert await fetched(asking, await target(asking, workshop, literal("PORT", "4000"))) is None


async def test_a_key_that_is_missing_is_named(asking: Asking, workshop: Workshop) -> None:
    found = await target(asking, workshop, from_secret("RELEASE_COOKIE", "cokie"))
    with pytest.raises(CookieNotFoundError) as missing:
        await fetched(asking, found)
    assert missing.value.message == (
        "The cookie of app in the pod shop-1 cannot be found out: RELEASE_COOKIE is taken from the"
        " key cokie of the Secret shop, which has only blank, cookie, ended, latin, long"
    )


async def test_what_cannot_be_a_cookie_is_not_quoted(asking: Asking, workshop: Workshop) -> None:
    found = await target(asking, workshop, from_secret("RELEASE_COOKIE", "long"))
    with pytest.raises(ConfigurationError, match="holds 300 characters") as caught:
        await fetched(asking, found)
    assert "secretsecret" not in "".join(traceback.format_exception(caught.value))


async def test_a_pod_that_is_gone_meanwhile(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    found = await target(asking, workshop, literal("RELEASE_COOKIE", COOKIE))
    api.objects.remove("pods", NAMESPACE, "shop-1")
    with pytest.raises(NameNotFoundError, match="the pod shop-1"):
        await fetched(asking, found)


async def test_who_may_not_read_the_secret_is_given_the_role_for_the_whole_session(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    deployment = workshop.deployment()
    owner = workshop.replica_set(deployment, "a", revision=1)
    env = [from_secret("RELEASE_COOKIE", "cookie")]
    workshop.pod("shop-a-1", owner=owner, containers=[manifests.container("app", env=env)])
    (found,) = await asking.targets("deploy/shop")
    api.faults.answer(403, "secrets/")
    with pytest.raises(RefusedError) as refused:
        await fetched(asking, found)
    assert "get secrets in the namespace shop" in refused.value.message
    role = yaml.safe_load(refused.value.remedy.split("\n\n", 1)[1])
    given = {
        (resource, verb, *rule.get("resourceNames", ()))
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert given == {
        ("pods", "get"),
        ("pods", "list"),
        ("pods/portforward", "create"),
        ("pods/portforward", "get"),
        ("deployments", "get", "shop"),
        ("replicasets", "list"),
        ("secrets", "get", "shop"),
    }


async def test_a_target_of_another_backend_is_found_by_its_address(
    api: KubernetesApi, asking: Asking, workshop: Workshop
) -> None:
    pod = workshop.pod(
        "shop-1",
        containers=[manifests.container("app", env=[literal("ERLANG_COOKIE", COOKIE)])],
    )
    address = pod["status"]["podIP"]
    found = Target(node=NodeName(name="shop", host=address), address=address)
    options = {"kubeconfig": str(asking.kubeconfig)}
    cookie = await fetched(asking, found, **options)
    assert cookie is not None
    assert cookie.reveal() == COOKIE
    elsewhere = Target(node=NodeName(name="shop", host="10.9.9.9"), address="10.9.9.9")
    with pytest.raises(NoNodeFoundError, match=r"No pod .* runs at the address 10\.9\.9\.9"):
        await fetched(asking, elsewhere, **options)
