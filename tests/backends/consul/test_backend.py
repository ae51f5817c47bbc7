"""Which instances of a real agent are targets, and the errors where none is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from backends.consul.catalogues import backend, found

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    NameNotFoundError,
    NodeName,
    NoNodeFoundError,
    Query,
    Ref,
    RefusedError,
    UsageError,
)
from erlconnect.testing import StandaloneSession, check_backend

if TYPE_CHECKING:
    from pathlib import Path

    from world.consul import ConsulAgent


async def test_the_backend_keeps_the_contract(agent: ConsulAgent) -> None:
    await check_backend(
        backend(address=agent.address), Query(service="shop"), missing=Query(service="nobody")
    )


async def test_passing_instances_are_targets_in_the_order_of_their_ids(agent: ConsulAgent) -> None:
    one, two = await found("shop", address=agent.address)
    assert (one.node, one.address, one.dist_port) == (
        NodeName(name="", host="10.3.0.1"),
        "10.3.0.1",
        25001,
    )
    assert (two.address, two.dist_port) == ("10.3.0.2", 25002)
    # Nothing is said of the cookie, and there is no sidecar: both only where they are named.
    assert [ref.name for ref in (*one.cookies, *one.transports)] == [
        *("consul-kv", "consul-connect", "direct")
    ]
    assert [ref.only_if_named for ref in (*one.cookies, *one.transports)] == [True, True, False]
    assert one.facts == {
        "id": "shop-1",
        "service": "shop",
        "tag": "blue",
        "tags": "blue, v2",
        "hostname": "node1",
        "datacenter": "dc1",
        "domain": "consul",
        "meta.zone": "a",
    }


async def test_a_tag_chooses_instances_and_is_the_field_of_templates(agent: ConsulAgent) -> None:
    (blue,) = await found("shop", address=agent.address, tag="blue")
    both = await found("shop", address=agent.address, tag="v2")
    assert (blue.facts["id"], blue.facts["tag"]) == ("shop-1", "blue")
    assert [target.facts["tag"] for target in both] == ["v2", "v2"]


async def test_a_filter_of_consuls_chooses_instances(agent: ConsulAgent) -> None:
    (only,) = await found("shop", address=agent.address, filter="Service.Meta.zone == a")
    assert only.facts["id"] == "shop-1"


async def test_near_keeps_consuls_order(agent: ConsulAgent) -> None:
    targets = await found("shop", address=agent.address, near="_agent")
    assert {target.facts["id"] for target in targets} == {"shop-1", "shop-2"}


async def test_basename_and_domain_are_settings(agent: ConsulAgent) -> None:
    (target,) = await found("by-epmd", address=agent.address, basename="app", domain="dc1.local")
    assert str(target.node) == "app@127.0.0.1"
    assert target.facts["domain"] == "dc1.local"
    assert "tag" not in target.facts


@pytest.mark.parametrize(
    ("service", "address", "dist_port"),
    [
        ("by-epmd", "127.0.0.1", None),
        ("portless", "portless.example", None),
        ("six", "fd00::6", 25006),
    ],
)
async def test_port_and_address_are_what_they_can_be(
    agent: ConsulAgent, service: str, address: str, dist_port: int | None
) -> None:
    """The node's address where the service has none; no distribution port for epmd's and 0."""
    (target,) = await found(service, address=agent.address)
    assert (target.address, target.dist_port, target.epmd_port) == (address, dist_port, 4369)


async def test_a_service_with_sidecars_is_reached_through_the_mesh_first(
    agent: ConsulAgent,
) -> None:
    (target,) = await found("meshed", address=agent.address, tag="v2")
    assert target.dist_port == 25020
    assert target.transports == (
        Ref(
            name="consul-connect",
            settings={"address": agent.address, "destination": "meshed"},
        ),
        Ref(name="direct"),
    )


async def test_the_mesh_is_no_way_for_whom_sidecars_are_hidden(
    guarded: ConsulAgent, tmp_path: Path
) -> None:
    rules = 'service "meshed" { policy = "read" } node_prefix "" { policy = "read" }'
    options = {"address": guarded.address, "token_file": str(tmp_path / "token")}
    (tmp_path / "token").write_text(guarded.token_for(rules))
    (target,) = await found("meshed", **options)
    assert [ref.only_if_named for ref in target.transports] == [True, False]
    rules += ' service "meshed-sidecar-proxy" { policy = "read" }'
    (tmp_path / "token").write_text(guarded.token_for(rules))
    (target,) = await found("meshed", **options)
    assert [ref.name for ref in target.transports] == ["consul-connect", "direct"]
    assert not any(ref.only_if_named for ref in target.transports)


async def test_the_cookie_is_looked_for_where_the_service_was_found(agent: ConsulAgent) -> None:
    options = {"address": agent.address, "datacenter": "dc1", "cookie_key": "erlang/cookie"}
    one, two = await found("shop", **options)
    settings = {"address": agent.address, "datacenter": "dc1", "key": "erlang/cookie"}
    assert one.cookies == two.cookies == (Ref(name="consul-kv", settings=settings),)


async def test_an_address_that_no_node_can_have_is_said(agent: ConsulAgent) -> None:
    with pytest.raises(NoNodeFoundError, match=r"nowhere \('unknown@no host'"):
        await found("nowhere", address=agent.address)


async def test_such_an_instance_among_others_is_a_warning(agent: ConsulAgent) -> None:
    service = {"Name": "mixed", "Port": 25040}
    agent.register({**service, "ID": "mixed-1", "Address": "no host"})
    agent.register({**service, "ID": "mixed-2", "Address": "10.3.0.40"})
    session = StandaloneSession()
    targets = await backend(address=agent.address).discover(Query(service="mixed"), session)
    assert [target.address for target in targets] == ["10.3.0.40"]
    (warning,) = session.warnings
    assert warning.startswith("Left out: mixed-1 (")


NAMES = (
    "shop@10.0.0.1",  # as the Meshx packages register nodes
    "my shop",
    "a/b",
    "a?dc=x",
    "a#b",
    "100%",
    "a%2Fb",
    "a+b&passing=0",
    "a..b",
    "caf\u00e9",
    "task-1d6c2b8e-group-web-shop-erl",  # as Nomad names them
)


@pytest.mark.parametrize("service", NAMES)
async def test_whatever_consul_takes_as_a_name_is_found(agent: ConsulAgent, service: str) -> None:
    agent.register({"Name": service, "ID": "odd", "Address": "10.3.0.50", "Port": 25050})
    try:
        (target,) = await found(service, address=agent.address)
    finally:
        agent.deregister("odd")
    assert (target.address, target.facts["service"]) == ("10.3.0.50", service)


async def test_a_name_like_a_nodes_that_is_not_there_is_told_what_else_it_could_be(
    agent: ConsulAgent,
) -> None:
    with pytest.raises(NameNotFoundError) as caught:
        await found("nobody@10.0.0.1", address=agent.address)
    assert "-b fixed name@address" in caught.value.remedy


@pytest.mark.parametrize("service", ["", " ", "..", "../kv/secret", "a//b", "a/./b", "a\nb"])
async def test_a_target_that_names_no_service_is_refused(service: str) -> None:
    with pytest.raises(UsageError, match="no name of a service"):
        await found(service, address="127.0.0.1:1")


async def test_services_are_listed_without_their_sidecars(agent: ConsulAgent) -> None:
    names = await backend(address=agent.address).services(StandaloneSession())
    assert {"consul", "meshed", "shop"} <= set(names)
    assert "meshed-sidecar-proxy" not in names
    assert names == sorted(names)


NODES = 'node_prefix "" { policy = "read" }'


async def failure(service: str, **options: str) -> ErlconnectError:
    with pytest.raises(ErlconnectError) as caught:
        await found(service, **options)
    return caught.value


@pytest.fixture
def with_token(guarded: ConsulAgent, tmp_path: Path) -> dict[str, str]:
    return {"address": guarded.address, "token_file": str(tmp_path / "token")}


def give(guarded: ConsulAgent, with_token: dict[str, str], tmp_path: Path, rules: str) -> None:
    (tmp_path / "token").write_text(guarded.token_for(rules))


async def test_no_such_service(agent: ConsulAgent) -> None:
    error = await failure("shopp", address=agent.address)
    assert type(error) is NameNotFoundError
    assert "there is no such service; there are by-epmd, consul, ill" in error.message
    assert error.remedy.startswith("Did you mean shop?")


async def test_all_instances_fail_their_checks(agent: ConsulAgent) -> None:
    error = await failure("ill", address=agent.address)
    assert type(error) is NoNodeFoundError
    assert "none of its 1 instances passes its checks: ill: beat is critical" in error.message


async def test_the_output_of_a_check_is_told_on_one_line(agent: ConsulAgent) -> None:
    check = {"Name": "beat", "TTL": "1h", "Status": "passing"}
    agent.register({"Name": "full", "ID": "full", "Port": 25050, "Check": check})
    await found("full", address=agent.address)
    agent.request("PUT", "/agent/check/fail/service:full?note=disk%20is%0Afull")
    error = await failure("full", address=agent.address)
    assert "full: beat is critical (disk is full)" in error.message


async def test_no_instance_has_the_tag(agent: ConsulAgent) -> None:
    error = await failure("shop", address=agent.address, tag="red")
    assert type(error) is NoNodeFoundError
    assert "none of its 3 instances has the tag red" in error.message
    assert error.remedy == "Their tags are: blue, green, v2."


async def test_the_filter_leaves_nothing(agent: ConsulAgent) -> None:
    error = await failure("meshed", address=agent.address, filter="Service.Port == 1")
    assert type(error) is NoNodeFoundError
    assert "none fits -o filter='Service.Port == 1'" in error.message


async def test_sidecars_are_no_targets(agent: ConsulAgent) -> None:
    error = await failure("meshed-sidecar-proxy", address=agent.address)
    assert type(error) is NoNodeFoundError
    assert error.remedy == "Ask for the service behind them: meshed."


@pytest.mark.parametrize(
    ("options", "kind", "said", "remedy"),
    [
        ({"filter": "nonsense ="}, UsageError, "boolean expression", "filter="),
        ({"datacenter": "eu9"}, LookupFailedError, "No path to datacenter", "datacenter="),
        ({"namespace": "team"}, UsageError, "Enterprise", "namespace="),
    ],
)
async def test_a_question_that_consul_cannot_answer(
    agent: ConsulAgent, options: dict[str, str], kind: type, said: str, remedy: str
) -> None:
    error = await failure("shop", address=agent.address, **options)
    assert type(error) is kind
    assert said in error.message
    assert remedy in error.remedy


async def test_without_a_token_everything_is_hidden(guarded: ConsulAgent) -> None:
    error = await failure("shop", address=guarded.address)
    assert type(error) is RefusedError
    assert "a request without a token may see nothing; the service may exist" in error.message
    assert f'a policy with: service "shop" {{ policy = "read" }} {NODES}' in error.remedy


async def test_a_token_without_rights_sees_nothing(
    guarded: ConsulAgent, with_token: dict[str, str], tmp_path: Path
) -> None:
    give(guarded, with_token, tmp_path, 'key "a" { policy = "read" }')
    error = await failure("shop", **with_token)
    assert type(error) is RefusedError
    assert "the token may see nothing" in error.message


async def test_a_token_that_may_not_see_nodes_is_told_apart(
    guarded: ConsulAgent, with_token: dict[str, str], tmp_path: Path
) -> None:
    give(guarded, with_token, tmp_path, 'service "shop" { policy = "read" }')
    error = await failure("shop", **with_token)
    assert type(error) is RefusedError
    assert "it is in the catalogue, but the token may see none of the Consul nodes" in error.message
    assert error.remedy == f"To see them, give the token a policy with: {NODES}"


async def test_a_token_for_another_service_leaves_both_possible(
    guarded: ConsulAgent, with_token: dict[str, str], tmp_path: Path
) -> None:
    give(guarded, with_token, tmp_path, f'service "meshed" {{ policy = "read" }} {NODES}')
    error = await failure("shop", **with_token)
    assert type(error) is NameNotFoundError
    assert "no such service, or the token may not see it; it may see meshed" in error.message
    assert 'service "shop"' in error.remedy


async def test_the_smallest_policy_suffices(
    guarded: ConsulAgent, with_token: dict[str, str], tmp_path: Path
) -> None:
    give(guarded, with_token, tmp_path, f'service "shop" {{ policy = "read" }} {NODES}')
    assert len(await found("shop", **with_token)) == 2


async def test_a_token_that_consul_does_not_know(
    with_token: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("11111111-2222-3333-4444-555555555555\n")
    error = await failure("shop", **with_token)
    assert type(error) is RefusedError
    assert "403 (ACL not found)" in error.message
    assert "does not know the token" in error.remedy
    assert "11111111" not in error.message + error.remedy
