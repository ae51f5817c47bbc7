"""Requests to the stand-in for Railway's API and its refusals; which project is asked about."""

from __future__ import annotations

import json
import ssl
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import trustme
from aiohttp import web
from world.ports import free_port
from world.proxies import connect_proxy
from world.railway_api import ENVIRONMENT, PERSON_TOKEN, PROJECT, PROJECT_TOKEN, SERVICE, RailwayApi

from erlconnect.api import (
    ConfigurationError,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    RefusedError,
)
from erlconnect_backends.railway.api import GraphApi, Project, ProjectLink, project_link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from erlconnect.errors import ErlconnectError

WRONG = "wrong-token-3f81"
KINDS = ["RAILWAY_TOKEN", "RAILWAY_API_TOKEN"]
IDS = {"project": PROJECT, "environment": ENVIRONMENT, "service": SERVICE}


def asking(endpoint: str, kind: str = "RAILWAY_API_TOKEN", token: str = PERSON_TOKEN) -> GraphApi:
    api = GraphApi.from_environment(endpoint, {kind: token})
    assert api is not None
    return api


def assert_secret(error: ErlconnectError, *tokens: str) -> None:
    for token in tokens or (PROJECT_TOKEN, PERSON_TOKEN, WRONG):
        assert token not in f"{error.message} {error.remedy} {error!r}"
        assert token not in "".join(traceback.format_exception(error))


async def found(api: GraphApi, project: str, environment: str, folder: Path) -> Project:
    return await Project.find(api, project, environment, {"HOME": str(folder)}, folder)


def test_without_a_token_there_is_no_api() -> None:
    assert GraphApi.from_environment("https://example.com", {"RAILWAY_TOKEN": ""}) is None


async def test_a_projects_token_says_which_project_is_meant(
    api: RailwayApi, tmp_path: Path
) -> None:
    asks = asking(api.endpoint, "RAILWAY_TOKEN", PROJECT_TOKEN)
    project = await found(asks, "", "", tmp_path)
    assert (project.project, project.environment) == (PROJECT, ENVIRONMENT)
    assert (project.name, project.environment_name) == ("market", "production")


@pytest.mark.parametrize("environment", [ENVIRONMENT, "production", "Production"])
async def test_a_persons_token_needs_to_be_told(
    api: RailwayApi, tmp_path: Path, environment: str
) -> None:
    project = await found(asking(api.endpoint), PROJECT, environment, tmp_path)
    assert project.environment == ENVIRONMENT
    with pytest.raises(ConfigurationError, match="nothing says which Railway project"):
        await found(asking(api.endpoint), "", "", tmp_path)


async def test_variables_and_the_state_of_the_deployment(api: RailwayApi, tmp_path: Path) -> None:
    project = await found(asking(api.endpoint), PROJECT, "production", tmp_path)
    assert await project.variables("shop") == api.variables
    assert await project.facts("shop") == {
        "project": "market",
        "environment": "production",
        "deployment": "success",
    }


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_token_is_refused(api: RailwayApi, kind: str) -> None:
    with pytest.raises(RefusedError, match="refused the token: Not Authorized") as refused:
        await asking(api.endpoint, kind, WRONG).ask("services", project=PROJECT)
    assert_secret(refused.value)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_by_status(api: RailwayApi, status: int) -> None:
    api.status = status
    with pytest.raises(RefusedError, match=f"HTTP status {status}") as refused:
        await asking(api.endpoint).ask("variables", **IDS)
    assert_secret(refused.value)


@pytest.mark.parametrize(
    ("status", "raw", "says"),
    [
        (500, b"oops", "HTTP status 500"),
        (429, b"", "HTTP status 429"),
        (200, b"<html>", "no JSON"),
        (200, b"\xff\xfe", "no JSON"),
        (200, b"[" * 100_000, "no JSON"),
        (200, b"[]", "no data"),
        (200, b'{"data": null}', "no data"),
        (200, b'{"errors": [{"message": "said: person-token-77aa"}]}', r"said: \[redacted\]"),
        (200, b'{"errors": ["words"]}', "words"),
    ],
)
async def test_what_is_no_answer(api: RailwayApi, status: int, raw: bytes, says: str) -> None:
    api.status, api.raw = status, raw
    with pytest.raises(LookupFailedError, match=says) as failed:
        await asking(api.endpoint).ask("variables", **IDS)
    assert api.endpoint in failed.value.message
    assert_secret(failed.value)


@pytest.mark.parametrize(
    "raw", [b'{"data": {"project": null}}', b'{"data": {"projectToken": []}}', b'{"data": [1]}']
)
async def test_an_answer_of_another_shape(api: RailwayApi, tmp_path: Path, raw: bytes) -> None:
    api.raw = raw
    with pytest.raises(LookupFailedError):
        await found(asking(api.endpoint), PROJECT, "production", tmp_path)
    with pytest.raises(LookupFailedError):
        await found(asking(api.endpoint, "RAILWAY_TOKEN", PROJECT_TOKEN), "", "", tmp_path)


async def test_silence(api: RailwayApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlconnect_backends.railway.api.SECONDS", 0.3)
    api.talks.clear()
    with pytest.raises(LookupTimeoutError, match="did not answer the question for variables") as no:
        await asking(api.endpoint).ask("variables", **IDS)
    assert_secret(no.value)


async def test_nobody_there() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}/graphql/v2"
    with pytest.raises(LookupFailedError, match="connection refused"):
        await asking(endpoint).ask("variables", **IDS)


@asynccontextmanager
async def api_over_tls(folder: Path) -> AsyncIterator[int]:
    """An answer to every question, by TLS on a port of 127.0.0.1; its CA is in ``folder``."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {PERSON_TOKEN}"
        return web.json_response({"data": {"asked": request.host}})

    app = web.Application()
    app.add_routes([web.post("/graphql/v2", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_the_api_is_asked_by_tls_and_through_the_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api_over_tls(tmp_path) as port:
        api = asking(f"https://localhost:{port}/graphql/v2")
        with pytest.raises(LookupFailedError, match="its certificate is not trusted"):
            await api.ask("variables", **IDS)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert await api.ask("variables", **IDS) == {"asked": f"localhost:{port}"}
        with connect_proxy(tmp_path, port, login="me:pass-word") as (proxy, process):
            monkeypatch.setenv("HTTPS_PROXY", f"http://me:pass-word@{proxy}")
            assert await api.ask("variables", **IDS) == {"asked": f"localhost:{port}"}
            process.wait_for_line(f"CONNECT localhost:{port}", 10)
            monkeypatch.setenv("HTTPS_PROXY", f"http://me:wrong-word@{proxy}")
            with pytest.raises(LookupFailedError, match="the proxy answered CONNECT with") as no:
                await api.ask("variables", **IDS)
            assert_secret(no.value, PERSON_TOKEN, "wrong-word")
            monkeypatch.setenv("NO_PROXY", "localhost")
            assert await api.ask("variables", **IDS)


async def test_a_proxy_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:pass-word@127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as refused:
        await asking("https://example.com").ask("variables", **IDS)
    assert_secret(refused.value, "pass-word")


async def test_a_redirect_does_not_carry_the_token_on(api: RailwayApi) -> None:
    with RailwayApi({}) as other:
        api.elsewhere = other.endpoint
        with pytest.raises(LookupFailedError, match="HTTP status 302"):
            await asking(api.endpoint).ask("services", project=PROJECT)
        assert other.asked == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("token", ["two\nlines-8d1c", "ümlaut-8d1c"])
def test_a_token_that_no_header_can_hold_is_not_shown(kind: str, token: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{kind} holds characters") as failed:
        asking("https://example.com", kind, token)
    assert_secret(failed.value, token, "8d1c")


@pytest.mark.parametrize(
    "endpoint",
    [
        *("http://example.com/graphql", "file:///etc/passwd", "nope", "https://", "https://a:b"),
        *("http://localhost:1@example.com/graphql", "http://127.0.0.1:80@example.com"),
    ],
)
def test_a_token_does_not_travel_in_the_clear(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="in the clear"):
        asking(endpoint)


async def test_what_the_project_does_not_have(api: RailwayApi, tmp_path: Path) -> None:
    asks = asking(api.endpoint)
    with pytest.raises(LookupFailedError, match="Project not found"):
        await found(asks, "another", "production", tmp_path)
    with pytest.raises(NameNotFoundError, match="market has no environment staging") as absent:
        await found(asks, PROJECT, "staging", tmp_path)
    assert "production" in absent.value.remedy
    project = await found(asks, PROJECT, "production", tmp_path)
    with pytest.raises(NameNotFoundError, match="market has no service web") as absent:
        await project.variables("web")
    assert "shop" in absent.value.remedy


INSIDE = {"RAILWAY_PROJECT_ID": "inside", "RAILWAY_ENVIRONMENT_ID": "inside-production"}
LINKED = ProjectLink(project="linked", environment="linked-staging")


def linked(home: Path, folder: Path) -> dict[str, str]:
    """Write what `railway link` writes in ``folder``; return the variables of that user."""
    link = {
        "projectPath": str(folder),
        "name": "market",
        "project": LINKED.project,
        "environment": LINKED.environment,
        "environmentName": "staging",
        "service": None,
    }
    write(home, json.dumps({"projects": {str(folder): link}, "user": {"token": "t"}}))
    return {"HOME": str(home)}


def write(home: Path, text: str) -> None:
    (home / ".railway").mkdir()
    (home / ".railway" / "config.json").write_text(text)


def test_the_settings_come_first(tmp_path: Path) -> None:
    variables = linked(tmp_path, tmp_path) | INSIDE
    assert project_link("set", "prod", variables, tmp_path) == ProjectLink(
        project="set", environment="prod"
    )


def test_then_what_railway_sets_inside_a_service(tmp_path: Path) -> None:
    variables = linked(tmp_path, tmp_path) | INSIDE
    assert project_link("", "", variables, tmp_path) == ProjectLink(
        project="inside", environment="inside-production"
    )


@pytest.mark.parametrize("below", ["", "app", "app/lib"])
def test_then_the_link_of_this_folder_or_one_above(tmp_path: Path, below: str) -> None:
    variables = linked(tmp_path, tmp_path / "code")
    assert project_link("", "", variables, tmp_path / "code" / below) == LINKED


def test_the_nearest_link_counts(tmp_path: Path) -> None:
    variables = linked(tmp_path, tmp_path / "code" / "shop")
    file = tmp_path / ".railway" / "config.json"
    content = json.loads(file.read_text())
    content["projects"][str(tmp_path / "code")] = {"project": "above", "environment": "above"}
    file.write_text(json.dumps(content))
    assert project_link("", "", variables, tmp_path / "code" / "shop") == LINKED
    assert project_link("", "", variables, tmp_path / "code").project == "above"


def test_a_link_of_another_folder_says_nothing(tmp_path: Path) -> None:
    variables = linked(tmp_path, tmp_path / "code")
    assert project_link("", "", variables, tmp_path / "codes") == ProjectLink()


def test_each_half_has_its_own_source(tmp_path: Path) -> None:
    variables = linked(tmp_path, tmp_path)
    assert project_link("", "prod", variables, tmp_path) == ProjectLink(
        project=LINKED.project, environment="prod"
    )


def test_a_project_of_the_settings_has_no_environment_of_another(tmp_path: Path) -> None:
    """The linked environment belongs to the linked project."""
    variables = linked(tmp_path, tmp_path)
    assert project_link("set", "", variables, tmp_path) == ProjectLink(project="set")
    assert project_link("set", "", variables | INSIDE, tmp_path) == ProjectLink(project="set")


def test_without_any_of_them_nothing_is_meant(tmp_path: Path) -> None:
    assert project_link("", "", {"HOME": str(tmp_path)}, tmp_path) == ProjectLink()


@pytest.mark.parametrize(
    "text", ["not json", "[]", '{"projects": 1}', '{"projects": {"FOLDER": {"name": "market"}}}']
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    write(tmp_path, text.replace("FOLDER", str(tmp_path)))
    with pytest.raises(ConfigurationError, match=r"\.railway/config\.json cannot be used"):
        project_link("", "", {"HOME": str(tmp_path)}, tmp_path)


def test_settings_that_say_all_need_no_file(tmp_path: Path) -> None:
    write(tmp_path, "not json")
    assert project_link("a", "b", {"HOME": str(tmp_path)}, tmp_path) == ProjectLink(
        project="a", environment="b"
    )
