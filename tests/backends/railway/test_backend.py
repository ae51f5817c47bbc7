"""Replicas by a real name server, alone and with the API; the cookie among the variables."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import dns.resolver
import pytest
from backends.dns.responder import responder
from backends.railway.conftest import COOKIE
from backends.railway.railway import backend, cookie_source, places
from world.ports import free_port
from world.railway_api import ENVIRONMENT, PERSON_TOKEN, PROJECT, PROJECT_TOKEN

from erlconnect.api import (
    ConfigurationError,
    CookieNotFoundError,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    NodeName,
    NoNodeFoundError,
    Query,
    Ref,
    Target,
    UsageError,
)
from erlconnect.testing import StandaloneSession, check_backend, check_cookie_source, check_offer
from erlconnect_backends.railway import backend as module
from erlconnect_backends.railway import plugin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from world.railway_api import RailwayApi

TARGET = Target(node=NodeName(name="shop", host="shop.railway.internal"), address="fd12:77::1")


@pytest.fixture(params=["RAILWAY_TOKEN", "RAILWAY_API_TOKEN"])
def token(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    of_project = request.param == "RAILWAY_TOKEN"
    monkeypatch.setenv(request.param, PROJECT_TOKEN if of_project else PERSON_TOKEN)
    if not of_project:
        monkeypatch.setenv("RAILWAY_PROJECT_ID", PROJECT)
        monkeypatch.setenv("RAILWAY_ENVIRONMENT_ID", ENVIRONMENT)


async def discovered(**options: str) -> Sequence[Target]:
    return await backend(**options).discover(Query(service="shop"), StandaloneSession())


async def test_the_offers_keep_the_contract() -> None:
    (found,) = plugin.RailwayPlugin.erlconnect_backends()
    check_offer(found)
    (source,) = plugin.RailwayVariablesPlugin.erlconnect_cookie_sources()
    check_offer(source)


async def test_the_backend_keeps_the_contract(server: str) -> None:
    await check_backend(
        backend(server=server), Query(service="shop"), missing=Query(service="nobody")
    )


@pytest.mark.usefixtures("token")
async def test_the_backend_keeps_it_with_the_api(server: str, api: RailwayApi) -> None:
    finding = backend(server=server, endpoint=api.endpoint)
    await check_backend(finding, Query(service="shop"), missing=Query(service="nobody"))


@pytest.mark.usefixtures("token")
async def test_the_source_keeps_the_contract(api: RailwayApi) -> None:
    await check_cookie_source(cookie_source(service="shop", endpoint=api.endpoint), TARGET)


@pytest.mark.usefixtures("token")
async def test_the_variables_tell_name_and_port(server: str, api: RailwayApi) -> None:
    replicas = await discovered(server=server, endpoint=api.endpoint)
    name = "shop@shop.railway.internal"
    assert places(replicas) == [(name, f"fd12:77::{number}", 4444) for number in (1, 2, 3)]
    assert replicas[0].facts["project"] == "market"
    settings = {"service": "shop", "project": "", "environment": "", "endpoint": api.endpoint}
    assert replicas[0].cookies == (Ref(name="railway-variables", settings=settings),)


@pytest.mark.usefixtures("token")
async def test_a_basename_wins_over_release_node(server: str, api: RailwayApi) -> None:
    replicas = await discovered(server=server, endpoint=api.endpoint, basename="web")
    assert str(replicas[0].node) == "web@shop.railway.internal"


@pytest.mark.usefixtures("token")
async def test_the_cookie_is_that_of_the_first_variable(api: RailwayApi) -> None:
    cookie = await cookie_source(service="shop", endpoint=api.endpoint).fetch(TARGET)
    assert cookie is not None
    assert cookie.reveal() == COOKIE
    assert cookie.origin == "Railway variable shop's RELEASE_COOKIE"
    api.variables = {"OTHER": f"{COOKIE}\n"}
    assert await cookie_source(service="shop", endpoint=api.endpoint).fetch(TARGET) is None
    other = await cookie_source(service="shop", endpoint=api.endpoint, names="OTHER").fetch(TARGET)
    assert other is not None
    assert (other.reveal(), "newline" in other.note) == (COOKIE, True)


async def test_the_source_says_what_it_lacks(api: RailwayApi) -> None:
    with pytest.raises(CookieNotFoundError, match="needs a token"):
        await cookie_source(service="shop", endpoint=api.endpoint).fetch(TARGET)
    with pytest.raises(ConfigurationError, match="which service"):
        await cookie_source().fetch(TARGET)


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
    monkeypatch.setattr(module, "SECONDS", 0.5)
    async with responder(lambda _: None) as silent:
        with pytest.raises(LookupTimeoutError, match=r"shop\.railway\.internal AAAA within 0.5 s"):
            await found("shop", server=silent)


async def test_a_closed_port_is_no_silence() -> None:
    with pytest.raises(LookupFailedError, match="refused") as failed:
        await found("shop", server=f"127.0.0.1:{free_port()}")
    assert not isinstance(failed.value, LookupTimeoutError)


async def test_the_systems_servers_are_asked(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host, port = module.address_and_port(server)

    def read_resolv_conf(resolver: dns.resolver.BaseResolver, _: object) -> None:
        resolver.nameservers = ["fe80::1%no-such-zone", host]
        resolver.port = port

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", read_resolv_conf)
    assert len(await found("shop")) == 3


async def test_a_system_without_name_servers_is_not_set_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "resolv.conf"
    empty.write_text("search example.com\n")
    read = dns.resolver.BaseResolver.read_resolv_conf
    monkeypatch.setattr(
        dns.resolver.BaseResolver, "read_resolv_conf", lambda self, _: read(self, str(empty))
    )
    with pytest.raises(ConfigurationError, match="no name server"):
        await found("shop")


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
    assert module.address_and_port(server) == place


@pytest.mark.parametrize("service", ["", "shop@host", "shop.railway.internal"])
async def test_what_is_no_service(server: str, service: str) -> None:
    with pytest.raises(UsageError, match="no name of a Railway service"):
        await found(service, server=server)
