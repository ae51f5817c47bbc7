"""DNS and the API together: targets, and the cookie among a service's variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from railway_network.conftest import COOKIE
from railway_network.railway import backend, cookie_source, places
from world.railway_api import ENVIRONMENT, PERSON_TOKEN, PROJECT, PROJECT_TOKEN

from erlconnect.api import ConfigurationError, CookieNotFoundError, NodeName, Query, Ref, Target
from erlconnect.testing import StandaloneSession, check_backend, check_cookie_source, check_offer
from erlconnect_backends.railway_network import discovery, variables

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    (found,) = discovery.erlconnect_backends()
    check_offer(found)
    (source,) = variables.erlconnect_cookie_sources()
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
