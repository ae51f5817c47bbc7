"""What is said when nothing is found: why, as far as Consul lets it be known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from consul_catalogue.catalogues import found

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    NameNotFoundError,
    NoNodeFoundError,
    RefusedError,
    UsageError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from world.consul import ConsulAgent

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
