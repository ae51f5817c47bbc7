"""Names of the private network, asked of a real name server."""

from __future__ import annotations

import asyncio

import pytest
from dns_records.responder import responder
from railway_network.railway import backend, places

from erlconnect.api import (
    ConfigurationError,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    NoNodeFoundError,
    Query,
    Target,
    UsageError,
)
from erlconnect.testing import StandaloneSession
from erlconnect_backends.railway_network import private_names


async def found(service: str, **options: str) -> list[Target]:
    return list(await backend(**options).discover(Query(service=service), StandaloneSession()))


async def test_every_replica_is_a_target_in_a_stable_order(server: str) -> None:
    replicas = await found("shop", server=server, basename="shop")
    assert places(replicas) == [
        ("shop@shop.railway.internal", f"fd12:77::{number}", None) for number in (1, 2, 3)
    ]
    assert [each.facts["replica"] for each in replicas] == ["1 of 3", "2 of 3", "3 of 3"]
    assert {each.epmd_port for each in replicas} == {4369}
    assert {each.cookies for each in replicas} == {()}


async def test_both_families_version_6_first(server: str) -> None:
    replicas = await found("both", server=server)
    assert [each.address for each in replicas] == ["fd12:77::1", "10.77.0.1"]
    assert [each.address for each in await found("four", server=server)] == ["10.77.0.2"]


async def test_without_a_name_the_node_tells_it(server: str) -> None:
    (replica, *_) = await found("Shop", server=server)
    assert (replica.node.name, replica.node.host) == ("", "shop.railway.internal")


async def test_a_name_that_does_not_exist_may_be_private(server: str) -> None:
    with pytest.raises(NameNotFoundError, match=r"nobody\.railway\.internal does not") as absent:
        await found("nobody", server=server)
    for words in ("inside Railway's private network", "VPN", "--via"):
        assert words in absent.value.remedy


async def test_a_name_without_addresses(server: str) -> None:
    with pytest.raises(NoNodeFoundError, match="neither AAAA nor A records"):
        await found("empty", server=server)


@pytest.mark.parametrize("domain", ["broken.internal", "elsewhere.internal"])
async def test_servfail_and_refused_are_no_absence(server: str, domain: str) -> None:
    with pytest.raises(LookupFailedError, match="could not answer the question") as failed:
        await found("shop", server=server, domain=domain)
    assert not isinstance(failed.value, NameNotFoundError)


async def test_a_silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_names, "SECONDS", 0.5)
    async with responder(lambda _: None) as silent:
        with pytest.raises(LookupTimeoutError, match=r"shop\.railway\.internal AAAA within 0.5 s"):
            await found("shop", server=silent)


async def test_lookup_never_asks_nobody() -> None:
    asked: list[object] = []
    async with responder(asked.append) as server:
        replicas = await found("shop", server=server, lookup="never")
        await asyncio.sleep(0)
    assert places(replicas) == [("@shop.railway.internal", "shop.railway.internal", None)]
    assert asked == []


@pytest.mark.parametrize("server", ["dns.example", "[::1", "::1:x", "127.0.0.1:99999", ""])
async def test_a_server_that_is_no_address(server: str) -> None:
    with pytest.raises(ConfigurationError, match=r"-o server="):
        await found("shop", server=server)


@pytest.mark.parametrize(
    ("server", "place"),
    [
        ("127.0.0.1", ("127.0.0.1", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("fd12::10", ("fd12::10", 53)),
        ("[fd12::10]", ("fd12::10", 53)),
        ("[fd12::10]:5353", ("fd12::10", 5353)),
    ],
)
def test_how_a_server_is_written(server: str, place: tuple[str, int]) -> None:
    assert private_names.address_and_port(server) == place


@pytest.mark.parametrize("service", ["", "shop@host", "shop.railway.internal"])
async def test_what_is_no_service(server: str, service: str) -> None:
    with pytest.raises(UsageError, match="no name of a Railway service"):
        await found(service, server=server)
