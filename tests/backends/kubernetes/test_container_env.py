"""Variables as the kubelet builds them: order, precedence, references, what is optional."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from backends.kubernetes.asking import NAMESPACE, Asking
from world.kubernetes import data_manifests, manifests

from erlconnect.api import RefusedError
from erlconnect_backends.kubernetes.container_env import (
    ContainerEnvironment,
    DataObjects,
    UnknownValueError,
)
from erlconnect_backends.kubernetes.pods import pod_of

if TYPE_CHECKING:
    from world.kubernetes.api import KubernetesApi


@pytest.fixture(autouse=True)
def data(api: KubernetesApi) -> None:
    """Two ConfigMaps and two Secrets."""
    for name, values in {
        "settings": {"MODE": "map", "NODE": "shop@host", "not a name": "x"},
        "more": {"MODE": "more", "EMPTY": ""},
    }.items():
        api.objects.put(data_manifests.config_map(name, values, namespace=NAMESPACE))
    secrets: dict[str, dict[str, str | bytes]] = {
        "cookies": {"cookie": "monster\n", "latin": b"m\xfcsli"},
        "all": {"MODE": "secret", "COOKIE": "whole"},
    }
    for name, secret in secrets.items():
        api.objects.put(data_manifests.secret(name, secret, namespace=NAMESPACE))


def literal(name: str, value: str = "") -> dict[str, Any]:
    return {"name": name, "value": value}


def keyed(name: str, kind: str, source: str, key: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "valueFrom": {f"{kind}KeyRef": {"name": source, "key": key, **more}}}


def whole(kind: str, name: str, prefix: str = "", **more: Any) -> dict[str, Any]:
    return {f"{kind}Ref": {"name": name, **more}, **({"prefix": prefix} if prefix else {})}


async def environment(
    asking: Asking,
    *env: dict[str, Any],
    env_from: tuple[dict[str, Any], ...] = (),
    **fields: Any,
) -> ContainerEnvironment:
    container = manifests.container("app", env=list(env), envFrom=list(env_from), **fields)
    item = manifests.pod("shop-1", namespace=NAMESPACE, containers=[container], address="10.3.0.7")
    return ContainerEnvironment(
        pod_of(item), container, DataObjects(await asking.rest(), NAMESPACE)
    )


async def test_literal_values(asking: Asking) -> None:
    told = await environment(asking, literal("A", "one"), literal("B"), {"name": "C"})
    assert [await told.value(name) for name in "ABCD"] == ["one", "", "", None]


async def test_a_reference_sees_what_stands_before_it(asking: Asking) -> None:
    told = await environment(
        asking,
        literal("EARLY", "$(LATE)"),
        literal("BASE", "shop"),
        literal("HOST", "10.3.0.7"),
        literal("NAME", "$(BASE)@$(HOST)"),
        literal("ESCAPED", "$$(BASE)"),
        literal("LATE", "$(NAME)/$(NOBODY)"),
        literal("SELF", "one"),
        literal("SELF", "$(SELF)-two"),
    )
    assert await told.value("EARLY") == "$(LATE)"
    assert await told.value("NAME") == "shop@10.3.0.7"
    assert await told.value("ESCAPED") == "$(BASE)"
    assert await told.value("LATE") == "shop@10.3.0.7/$(NOBODY)"
    assert await told.value("SELF") == "one-two"


async def test_keys_of_secrets_and_config_maps(asking: Asking) -> None:
    told = await environment(
        asking,
        keyed("COOKIE", "secret", "cookies", "cookie"),
        keyed("LATIN", "secret", "cookies", "latin"),
        keyed("MODE", "configMap", "settings", "MODE"),
        literal("BOTH", "$(MODE):$(COOKIE)"),
    )
    assert await told.value("COOKIE") == "monster\n"
    latin = await told.value("LATIN")
    assert latin is not None
    assert latin.encode(errors="surrogateescape") == b"m\xfcsli"
    assert await told.value("BOTH") == "map:monster\n"


async def test_whole_sources_come_first_and_the_last_one_counts(asking: Asking) -> None:
    sources = (whole("configMap", "settings"), whole("secret", "all"), whole("configMap", "more"))
    told = await environment(
        asking, literal("NODE", "own@$(MODE)"), literal("MODE", "own"), env_from=sources
    )
    assert await told.value("NODE") == "own@more"
    assert await told.value("MODE") == "own"
    assert await told.value("COOKIE") == "whole"
    assert await told.value("EMPTY") == ""


async def test_a_prefix_stands_before_every_name_of_a_source(asking: Asking) -> None:
    told = await environment(asking, env_from=(whole("secret", "all", "APP_"),))
    assert await told.value("APP_COOKIE") == "whole"
    assert await told.value("COOKIE") is None


async def test_what_is_optional_may_be_missing(asking: Asking) -> None:
    sources = (whole("configMap", "settings"), whole("secret", "gone", optional=True))
    told = await environment(
        asking,
        keyed("NODE", "secret", "gone", "node", optional=True),
        keyed("COOKIE", "secret", "cookies", "gone", optional=True),
        env_from=sources,
    )
    assert await told.value("NODE") == "shop@host"  # the source's value stays
    assert await told.value("COOKIE") is None


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            keyed("X", "secret", "gone", "cookie"),
            "X is taken from the key cookie of the Secret gone, which does not exist",
        ),
        (
            keyed("X", "secret", "cookies", "cokie"),
            "X is taken from the key cokie of the Secret cookies, which has only cookie, latin",
        ),
        (
            keyed("X", "configMap", "more", "x"),
            "X is taken from the key x of the ConfigMap more, which has only EMPTY, MODE",
        ),
        (
            {"name": "X", "valueFrom": {"fileKeyRef": {"path": "a", "key": "b"}}},
            "X is taken from fileKeyRef, which is not known here",
        ),
        (
            {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "spec.new"}}},
            r"X is taken from spec\.new, which is not known here",
        ),
        (
            {"name": "X", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            r"X is taken from limits\.cpu, which is not known here",
        ),
    ],
)
async def test_what_cannot_be_known_is_said_and_disturbs_nothing_else(
    asking: Asking, entry: dict[str, Any], words: str
) -> None:
    told = await environment(asking, entry, literal("Y", "$(X)"), literal("Z", "known"))
    for name in ("X", "Y"):
        with pytest.raises(UnknownValueError, match=f"^{words}$"):
            await told.value(name)
    assert await told.known(["X", "Y", "Z", "NONE"]) == {"Z": "known"}


async def test_a_whole_source_that_is_gone_may_have_held_it(asking: Asking) -> None:
    told = await environment(asking, env_from=(whole("secret", "gone"), whole("secret", "all")))
    assert await told.value("COOKIE") == "whole"
    with pytest.raises(UnknownValueError, match="OTHER may be in the Secret gone, which does not"):
        await told.value("OTHER")


async def test_fields_of_the_pod(asking: Asking) -> None:
    told = await environment(
        asking,
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        literal("NODE", "shop@$(IP)"),
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        resources={"limits": {"cpu": "2"}},
    )
    assert await told.value("NODE") == "shop@10.3.0.7"
    assert await told.value("CPU") == "2"


async def test_words_of_the_command_line_are_expanded(asking: Asking) -> None:
    told = await environment(
        asking,
        literal("NAME", "shop"),
        keyed("COOKIE", "secret", "gone", "cookie"),
        command=["erl", "-name", "$(NAME)@host"],
        args=["-setcookie", "$(COOKIE)", "-x"],
    )
    assert await told.command_line() == ["erl", "-name", "shop@host", "-setcookie", "-x"]


async def test_only_what_may_hold_a_variable_is_asked_for_and_only_once(
    api: KubernetesApi, asking: Asking
) -> None:
    told = await environment(
        asking,
        literal("PLAIN", "x"),
        keyed("COOKIE", "secret", "cookies", "cookie"),
        keyed("LATIN", "secret", "cookies", "latin"),
        env_from=(whole("secret", "all", "APP_"),),
    )
    assert await told.value("PLAIN") == "x"
    assert api.requests.seen() == []
    await told.known(["COOKIE", "LATIN", "COOKIE"])
    assert [line.partition("?")[0].split("/")[-1] for line in api.requests.seen()] == ["cookies"]


async def test_who_may_not_read_a_secret_is_told_or_goes_on_without_it(
    api: KubernetesApi, asking: Asking
) -> None:
    api.faults.answer(403, "secrets/")
    container = manifests.container("app", env=[keyed("COOKIE", "secret", "cookies", "cookie")])
    pod = pod_of(manifests.pod("shop-1", namespace=NAMESPACE, containers=[container]))
    rest = await asking.rest()
    with pytest.raises(RefusedError):
        await ContainerEnvironment(pod, container, DataObjects(rest, NAMESPACE)).value("COOKIE")
    told: list[RefusedError] = []
    data = DataObjects(rest, NAMESPACE, on_refusal=told.append)
    assert await ContainerEnvironment(pod, container, data).known(["COOKIE", "COOKIE"]) == {}
    assert len(told) == 1
