"""Which proxy leads to an API server."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from erlconnect.api import ConfigurationError
from erlconnect_backends.kubernetes_cluster.proxies import proxy_for

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
