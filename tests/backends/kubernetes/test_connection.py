"""Connections to an API server, through real proxies and without; which proxy counts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from backends.kubernetes.asking import NAMESPACE, Asking
from world.kubernetes.api import KubernetesApi
from world.kubernetes.kubeconfig import Kubeconfig, by_token
from world.ports import free_port
from world.proxies import connect_proxy, socks_proxy

from erlconnect.api import ConfigurationError, LookupFailedError
from erlconnect_backends.kubernetes.connection import proxy_for
from erlconnect_backends.kubernetes.requests import POD, all_of

if TYPE_CHECKING:
    from pathlib import Path

PODS = all_of(POD, namespace=NAMESPACE)


def through(api: KubernetesApi, folder: Path, proxy: str, **cluster: Any) -> Asking:
    config = Kubeconfig().context(
        "test",
        server=cluster.pop("server", api.url),
        authority=cluster.pop("authority", api.authority.certificate),
        user=by_token(api.token),
        cluster={"proxy-url": proxy, **cluster},
    )
    return Asking(config.write(folder / "config"))


async def test_a_proxy_of_the_kubeconfig_leads_there(api: KubernetesApi, tmp_path: Path) -> None:
    with connect_proxy(tmp_path, api.port) as (address, process):
        rest = await through(api, tmp_path, f"http://{address}").rest()
        assert await rest.items(PODS) == []
        process.wait_for_line(f"CONNECT 127.0.0.1:{api.port}")


async def test_a_proxy_may_want_a_password(api: KubernetesApi, tmp_path: Path) -> None:
    with connect_proxy(tmp_path, api.port, login="me:secret-one") as (address, _):
        rest = await through(api, tmp_path, f"http://me:secret-one@{address}").rest()
        assert await rest.items(PODS) == []
        wrong = await through(api, tmp_path, f"http://me:secret-two@{address}").rest()
        with pytest.raises(LookupFailedError) as refused:
            await wrong.items(PODS)
    assert f"the proxy {address} does not lead there: HTTP/1." in refused.value.message
    assert "secret-" not in refused.value.message


async def test_a_proxy_that_leads_elsewhere_only_is_named(
    api: KubernetesApi, tmp_path: Path
) -> None:
    with connect_proxy(tmp_path, free_port()) as (address, _):
        rest = await through(api, tmp_path, f"http://{address}").rest()
        with pytest.raises(LookupFailedError, match=r"does not lead there: HTTP/1\.[01] 403"):
            await rest.items(PODS)


async def test_the_environments_proxy_is_taken_for_hosts_elsewhere(
    api: KubernetesApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    here = await through(api, tmp_path, "").rest()
    assert await here.items(PODS) == []
    there = await through(api, tmp_path, "", server="https://10.255.0.1:6443").rest()
    with pytest.raises(LookupFailedError, match="Connection refused"):
        await there.items(PODS)


async def test_socks_leads_there_by_name(api: KubernetesApi, tmp_path: Path) -> None:
    with socks_proxy(tmp_path) as address:
        server = f"https://localhost:{api.port}"
        rest = await through(api, tmp_path, f"socks5://{address}", server=server).rest()
        assert await rest.items(PODS) == []
        gone = f"https://127.0.0.1:{free_port()}"
        elsewhere = await through(api, tmp_path, f"socks5://{address}", server=gone).rest()
        with pytest.raises(LookupFailedError, match="the proxy closed the connection"):
            await elsewhere.items(PODS)


async def test_behind_a_proxy_the_certificate_is_checked_as_well(
    api: KubernetesApi, tmp_path: Path
) -> None:
    with KubernetesApi() as other:
        stranger = other.authority.certificate
    with connect_proxy(tmp_path, api.port) as (address, _):
        asking = through(api, tmp_path, f"http://{address}", authority=stranger)
        with pytest.raises(LookupFailedError, match="is not trusted"):
            await (await asking.rest()).items(PODS)


async def test_a_proxy_that_is_not_there_is_no_direct_way(
    api: KubernetesApi, tmp_path: Path
) -> None:
    rest = await through(api, tmp_path, f"http://127.0.0.1:{free_port()}").rest()
    with pytest.raises(LookupFailedError, match="Connection refused"):
        await rest.items(PODS)
    assert api.requests.seen() == []


async def test_an_ipv6_server_is_asked_by_its_address(api: KubernetesApi, tmp_path: Path) -> None:
    gone = f"https://[::1]:{free_port()}"
    rest = await through(api, tmp_path, "", server=gone).rest()
    with pytest.raises(LookupFailedError, match=r"https://\[::1\]:.* Connection refused"):
        await rest.items(PODS)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not lead there: it does not speak HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nVia: " + b"x" * 70_000,
            "does not lead there: an answer without an end",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "does not lead there: it sent something before"),
        (b"HTTP/1.1 599\r\n\r\n", r"does not lead there: HTTP/1\.1 599$"),
        (b"HTTP/1.1 200 OK\r\n", "the proxy closed the connection"),
    ],
)
async def test_what_is_no_answer_of_a_proxy_is_said_to_be_none(
    api: KubernetesApi, tmp_path: Path, answer: bytes, words: str
) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        rest = await through(api, tmp_path, f"http://{address}").rest()
        with pytest.raises(LookupFailedError, match=words):
            await rest.items(PODS)
    assert api.requests.seen() == []


async def test_a_server_that_closes_in_the_middle_of_the_tls_handshake_is_said_to(
    api: KubernetesApi, tmp_path: Path
) -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024 * 1024)
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        rest = await through(api, tmp_path, "", server=url).rest()
        with pytest.raises(LookupFailedError, match="the server closed the connection"):
            await rest.items(PODS)


PROXY = "http://proxy.test:3128"


def chosen(server: str, configured: str = "", **environment: str) -> str:
    return proxy_for(urlsplit(server), configured, environment, "test")


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_the_environment_names_one(name: str) -> None:
    assert chosen("https://10.0.0.1:6443", **{name: PROXY}) == PROXY
    assert chosen("http://10.0.0.1:6443", **{name: PROXY}) == ""


def test_the_kubeconfig_counts_more_than_the_environment() -> None:
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}
    assert chosen("https://10.0.0.1", "socks5://127.0.0.1:9", **environment) == (
        "socks5://127.0.0.1:9"
    )


def test_a_proxy_without_a_scheme_speaks_http() -> None:
    assert chosen("https://k.test", HTTPS_PROXY="proxy.test:3128") == PROXY


@pytest.mark.parametrize("server", ["https://127.0.0.1:6443", "https://[::1]", "https://localhost"])
def test_this_machine_is_asked_directly(server: str) -> None:
    assert chosen(server, HTTPS_PROXY=PROXY) == ""


@pytest.mark.parametrize(
    ("server", "rules"),
    [
        ("https://10.1.2.3:6443", "10.0.0.0/8"),
        ("https://10.1.2.3:6443", "localhost, 10.1.2.3"),
        ("https://10.1.2.3:6443", "10.1.2.3:6443"),
        ("https://[fd00::7]:6443", "fd00::/8"),
        ("https://api.k.test", "k.test"),
        ("https://api.k.test", ".k.test"),
        ("https://api.k.test", "*.k.test"),
        ("https://k.test", "k.test:443"),
        ("https://api.k.test", "*"),
        ("https://10.1.2.3", "*"),
    ],
)
def test_hosts_that_need_none(server: str, rules: str) -> None:
    assert chosen(server, HTTPS_PROXY=PROXY, NO_PROXY=rules) == ""


@pytest.mark.parametrize(
    ("server", "rules"),
    [
        ("https://11.1.2.3:6443", "10.0.0.0/8"),
        ("https://10.1.2.3:6443", "10.1.2.3:443"),
        ("https://notk.test", "k.test"),
        ("https://k.test:6443", "k.test:443"),
        ("https://k.test", ""),
    ],
)
def test_hosts_that_do_not_fit_take_the_proxy(server: str, rules: str) -> None:
    assert chosen(server, HTTPS_PROXY=PROXY, NO_PROXY=rules) == PROXY


@pytest.mark.parametrize("proxy", ["https://proxy.test", "socks4://proxy.test", "http://"])
def test_another_kind_of_proxy_is_refused_and_never_left_out(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="a proxy of the kind") as refused:
        chosen("https://k.test", proxy)
    assert "http, socks5" in refused.value.remedy
