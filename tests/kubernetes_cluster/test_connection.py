"""Through real proxies to a server whose certificate is checked behind them all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kubernetes_cluster.asking import NAMESPACE, Asking
from world.kubernetes.api import KubernetesApi
from world.kubernetes.kubeconfig import Kubeconfig, by_token
from world.ports import free_port
from world.proxies import connect_proxy, socks_proxy

from erlconnect.api import LookupFailedError
from erlconnect_backends.kubernetes_cluster.questions import POD, all_of

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
