"""Which proxy leads to an API server: the kubeconfig's, or the environment's as Go reads it.

Reference: https://pkg.go.dev/golang.org/x/net/http/httpproxy
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from erlconnect_backends.kubernetes_cluster import access_failures as failures

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

SCHEMES: Final = ("http", "socks5")


def proxy_for(
    server: SplitResult, configured: str, environment: Mapping[str, str], context: str
) -> str:
    """Give the proxy's URL, empty where the way is direct.

    Raises ``ConfigurationError`` for a proxy of another kind than ``SCHEMES``.
    """
    proxy = configured or _of_environment(server, environment)
    if proxy and "//" not in proxy:
        proxy = f"http://{proxy}"
    parts = urlsplit(proxy)
    if proxy and (parts.scheme not in SCHEMES or not parts.hostname):
        raise failures.unknown_proxy(context, parts, SCHEMES)
    return proxy


def _of_environment(server: SplitResult, environment: Mapping[str, str]) -> str:
    host = server.hostname or ""
    if _on_this_machine(host) or _excluded(host, server.port, _variable("NO_PROXY", environment)):
        return ""
    return _variable(f"{server.scheme.upper()}_PROXY", environment)


def _variable(name: str, environment: Mapping[str, str]) -> str:
    return environment.get(name) or environment.get(name.lower()) or ""


def _on_this_machine(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _excluded(host: str, port: int | None, rules: str) -> bool:
    return any(_fits(host, port, rule.strip().lower()) for rule in rules.split(",") if rule.strip())


def _fits(host: str, port: int | None, rule: str) -> bool:
    address = _address(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(rule.strip("[]"), strict=False)
        except ValueError:
            return rule in ("*", f"{host}:{port}", f"[{host}]:{port}")
    name, _, rule_port = rule.partition(":")
    if rule_port and rule_port != str(port or 443):
        return False
    return name == "*" or host == name.lstrip("*.") or host.endswith(f".{name.lstrip('*.')}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
