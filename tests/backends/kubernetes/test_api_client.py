"""Questions to a server that is slow, ill, busy, gone, strict, or somebody else."""

from __future__ import annotations

import asyncio
import socket
import traceback
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import yaml
from backends.kubernetes.asking import NAMESPACE, Asking
from world.kubernetes import data_manifests, manifests
from world.kubernetes.api import KubernetesApi
from world.kubernetes.kubeconfig import Kubeconfig, by_token, by_token_file
from world.ports import free_port

from erlconnect.api import (
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    RefusedError,
    redact,
)
from erlconnect_backends.kubernetes import api_client as rest_module
from erlconnect_backends.kubernetes.api_client import ApiClient
from erlconnect_backends.kubernetes.requests import (
    DEPLOYMENT,
    POD,
    SECRET,
    Right,
    all_of,
    changes_of,
    one,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PODS = all_of(POD, namespace=NAMESPACE)
SHOP = one(POD, "shop-1", namespace=NAMESPACE)


@pytest.fixture
def pod(api: KubernetesApi) -> None:
    api.objects.put(manifests.pod("shop-1", namespace=NAMESPACE, labels={"app": "shop"}))


async def test_objects_and_lists(api: KubernetesApi, asking: Asking, pod: None) -> None:
    rest = await asking.rest()
    assert (await rest.get(SHOP))["metadata"]["labels"] == {"app": "shop"}
    (item,) = await rest.items(all_of(POD, namespace=NAMESPACE, selector="app=shop"))
    assert item["metadata"]["name"] == "shop-1"
    assert await rest.items(all_of(POD, namespace=NAMESPACE, selector="app=other")) == []
    assert await rest.find(one(SECRET, "none", namespace=NAMESPACE)) is None
    with pytest.raises(NameNotFoundError, match=r'404 .pods "shop-2" not found') as missing:
        await rest.get(one(POD, "shop-2", namespace=NAMESPACE))
    assert f"{api.url} (context test)" in missing.value.message


async def test_a_token_is_never_in_what_is_said(api: KubernetesApi, asking: Asking) -> None:
    api.users.expire(api.token)
    with pytest.raises(RefusedError) as refused:
        await (await asking.rest()).get(SHOP)
    assert api.token not in "".join(traceback.format_exception(refused.value))
    assert redact(api.token) == "[redacted]"


async def test_an_expired_token_is_replaced_by_the_one_that_is_there_now(
    api: KubernetesApi, tmp_path: Path, pod: None
) -> None:
    token = tmp_path / "token"
    token.write_text(api.token)
    asking = Asking(
        api.kubeconfig(tmp_path / "config", user=by_token_file(token), namespace=NAMESPACE)
    )
    rest = await asking.rest()
    await rest.get(SHOP)
    token.write_text(api.users.add("later", "system:masters"))
    api.users.expire(api.token)
    assert (await rest.get(SHOP))["metadata"]["name"] == "shop-1"


async def test_a_token_that_stays_refused_is_asked_with_once(
    api: KubernetesApi, asking: Asking
) -> None:
    api.users.expire(api.token)
    with pytest.raises(RefusedError, match=r"does not accept the credentials \(401") as refused:
        await (await asking.rest()).get(SHOP)
    assert "Log in again" in refused.value.remedy
    assert len(api.requests.seen("pods/shop-1")) == 1


async def test_a_missing_right_is_named_with_the_role_that_gives_all_that_is_needed(
    api: KubernetesApi, tmp_path: Path
) -> None:
    user = by_token(api.users.add("robot"))
    asking = Asking(api.kubeconfig(tmp_path / "config", user=user, namespace=NAMESPACE))
    needed = {Right(resource="pods", verb="get"), Right(resource="pods/portforward", verb="create")}
    rest = ApiClient(await asking.access(), needed=needed)
    with pytest.raises(RefusedError) as refused:
        await rest.get(one(DEPLOYMENT, "shop", namespace=NAMESPACE))
    assert "does not allow to get deployments.apps in the namespace shop" in refused.value.message
    assert 'User "robot" cannot get resource "deployments"' in refused.value.message
    role = yaml.safe_load(refused.value.remedy.split("\n\n", 1)[1])
    assert [rule["resources"] for rule in role["rules"]] == [
        ["pods"],
        ["pods/portforward"],
        ["deployments"],
    ]


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
async def test_what_passes_by_itself_is_asked_again(
    api: KubernetesApi, asking: Asking, pod: None, code: int
) -> None:
    api.faults.answer(code, times=2)
    assert (await (await asking.rest()).get(SHOP))["metadata"]["name"] == "shop-1"
    assert len(api.requests.seen("pods/shop-1")) == 3


async def test_a_reset_connection_is_made_again(
    api: KubernetesApi, asking: Asking, pod: None
) -> None:
    api.faults.reset(times=1)
    assert (await (await asking.rest()).get(SHOP))["metadata"]["name"] == "shop-1"


async def test_a_busy_server_is_left_alone_for_as_long_as_it_wants(
    api: KubernetesApi, asking: Asking, pod: None
) -> None:
    api.faults.answer(429, times=1, headers={"Retry-After": "1"})
    began = asyncio.get_running_loop().time()
    await (await asking.rest()).get(SHOP)
    assert asyncio.get_running_loop().time() - began >= 1


async def test_a_server_that_wants_to_be_left_alone_for_long_is_an_error_at_once(
    api: KubernetesApi, asking: Asking
) -> None:
    api.faults.answer(429, headers={"Retry-After": "3600"})
    with pytest.raises(LookupTimeoutError, match=r"429 \(Too many requests") as busy:
        await (await asking.rest()).get(SHOP)
    assert "3600 s" in busy.value.remedy
    assert len(api.requests.seen("pods/shop-1")) == 1


@pytest.mark.parametrize(("code", "tries"), [(500, 4), (400, 1)])
async def test_what_does_not_pass_is_an_error_in_the_end(
    api: KubernetesApi, asking: Asking, code: int, tries: int
) -> None:
    api.faults.answer(code)
    with pytest.raises(LookupFailedError, match=f"answered {code} "):
        await (await asking.rest()).items(PODS)
    assert len(api.requests.seen("/pods")) == tries


async def test_silence_is_an_error_that_says_how_long_it_was(
    api: KubernetesApi, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_module, "REQUEST_SECONDS", 0.2)
    api.faults.delay(60)
    with pytest.raises(LookupTimeoutError, match=r"did not answer within 0\.2 s"):
        await (await asking.rest()).get(SHOP)


async def test_a_server_that_is_gone_is_no_empty_answer(api: KubernetesApi, asking: Asking) -> None:
    rest = await asking.rest()
    api.go_away()
    with pytest.raises(LookupFailedError, match="could not be reached: Connection refused"):
        await rest.items(PODS)
    api.come_back()
    assert await rest.items(PODS) == []


async def test_a_server_of_another_authority_is_not_asked(
    api: KubernetesApi, tmp_path: Path
) -> None:
    with KubernetesApi() as other:
        config = Kubeconfig().context(
            "test", server=api.url, authority=other.authority.certificate, user=by_token(api.token)
        )
    asking = Asking(config.write(tmp_path / "config"))
    with pytest.raises(LookupFailedError, match="showed a certificate that is not trusted"):
        await (await asking.rest()).get(SHOP)
    assert api.requests.seen() == []


async def test_a_certificate_for_another_name_is_not_trusted(
    api: KubernetesApi, tmp_path: Path
) -> None:
    config = Kubeconfig().context(
        "test",
        server=api.url,
        authority=api.authority.certificate,
        user=by_token(api.token),
        cluster={"tls-server-name": "kubernetes.test"},
    )
    asking = Asking(config.write(tmp_path / "config"))
    with pytest.raises(LookupFailedError, match=r"not trusted: .*kubernetes\.test"):
        await (await asking.rest()).get(SHOP)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: some\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0_2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n<html>Log in</html>",
        b"HTTP/1.1 200 OK\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    ],
)
async def test_what_is_no_api_server_is_told_so(tmp_path: Path, answer: bytes) -> None:
    async with served(answer) as port:
        with pytest.raises(LookupFailedError, match="is not an API server's"):
            await (await plain(tmp_path, port).rest()).get(SHOP)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ],
)
async def test_an_answer_that_is_cut_off_is_no_answer(tmp_path: Path, answer: bytes) -> None:
    async with served(answer) as port:
        with pytest.raises(LookupFailedError, match="the answer was cut off"):
            await (await plain(tmp_path, port).rest()).get(SHOP)


@asynccontextmanager
async def served(answer: bytes) -> AsyncIterator[int]:
    """Something else than an API server, on a port of its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    port = free_port()
    async with await asyncio.start_server(serve, "127.0.0.1", port, family=socket.AF_INET):
        yield port


def plain(folder: Path, port: int) -> Asking:
    config = Kubeconfig().context(
        "test", server=f"http://127.0.0.1:{port}", authority=b"", user=by_token("t")
    )
    return Asking(config.write(folder / "config"))


async def test_a_long_list_comes_page_by_page(
    api: KubernetesApi, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest_module, "_PAGE", "3")
    for number in range(7):
        api.objects.put(manifests.pod(f"shop-{number}", namespace=NAMESPACE))
    found = await (await asking.rest()).items(PODS)
    assert [item["metadata"]["name"] for item in found] == [f"shop-{n}" for n in range(7)]
    assert len(api.requests.seen("limit=3")) == 3


async def test_a_large_answer_arrives_whole(api: KubernetesApi, asking: Asking) -> None:
    value = "x" * 900_000
    api.objects.put(data_manifests.secret("large", {"key": value}, namespace=NAMESPACE))
    item = await (await asking.rest()).get(one(SECRET, "large", namespace=NAMESPACE))
    assert len(item["data"]["key"]) == 1_200_000


async def test_a_watch_gives_changes_as_they_happen(api: KubernetesApi, asking: Asking) -> None:
    rest = await asking.rest()
    since = await rest.version(PODS)
    api.objects.put(manifests.pod("shop-1", namespace=NAMESPACE))
    async with aclosing(rest.watch(changes_of(PODS, since=since, seconds=60))) as events:
        first = await anext(events)
        api.objects.remove("pods", NAMESPACE, "shop-1")
        second = await anext(events)
    assert [first["type"], second["type"]] == ["ADDED", "DELETED"]
    assert first["object"]["metadata"]["name"] == "shop-1"


async def test_a_watch_that_is_cut_is_an_error(api: KubernetesApi, asking: Asking) -> None:
    rest = await asking.rest()
    since = await rest.version(PODS)
    async with aclosing(rest.watch(changes_of(PODS, since=since, seconds=60))) as events:
        api.objects.put(manifests.pod("shop-1", namespace=NAMESPACE))
        await anext(events)
        api.cut_connections()
        with pytest.raises(LookupFailedError):
            await anext(events)
