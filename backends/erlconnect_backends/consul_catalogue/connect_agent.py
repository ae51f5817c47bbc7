"""What an agent says of the mesh: certificates, sidecars, upstreams and intentions.

Knows the form of its answers. Refuses to open streams.
API: https://developer.hashicorp.com/consul/api-docs/agent/connect
"""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import ErlconnectError
from erlconnect_backends.consul_catalogue.client import ConsulClient
from erlconnect_backends.consul_catalogue.failures import StatusError

if TYPE_CHECKING:
    from collections.abc import Mapping

_INTENTION_SECONDS: Final = 1.0
_LEAF_WAIT: Final = "300s"
_PROXY: Final = "connect-proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The leaf certificate of a service with its key, and whom the mesh trusts; PEM texts."""

    certificate: str
    private_key: str = field(repr=False)
    roots: tuple[str, ...]
    trust_domain: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What takes TLS for one instance; ``service_port`` is 0 where it does not say."""

    address: str
    node_address: str
    port: int
    service_port: int
    datacenter: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A place on this machine that leads into the mesh, as the service ``source``."""

    host: str
    port: int
    source: str
    proxy: str


class MeshAgent(ConsulClient):
    """The questions of the transport; errors are those of ``ConsulClient``."""

    @property
    def is_local(self) -> bool:
        """Whether the agent runs on this machine, so that what it registers does, too."""
        host = self.access.address.host
        if self.access.address.path or host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host.partition("%")[0]).is_loopback
        except ValueError:
            return False

    async def credentials(self, source: str, *, index: int = 0) -> Credentials:
        """Give the present leaf of ``source`` and the present roots.

        With ``index`` the answer comes when there is a newer leaf than that, or after five minutes.
        An agent renews a leaf while somebody waits for it so, and only then.
        """
        waiting = {"index": str(index), "wait": _LEAF_WAIT} if index else {}
        path = f"/v1/agent/connect/ca/leaf/{source}"
        right = f'service "{source}" {{ policy = "write" }}'
        with self._telling(f"a certificate of {source}", right):
            leaf = await self._json(path, **waiting)
            roots = await self._json("/v1/agent/connect/ca/roots")
            return Credentials(
                certificate=str(leaf["CertPEM"]),
                private_key=str(leaf["PrivateKeyPEM"]),
                roots=tuple(str(root["RootCert"]) for root in roots["Roots"]),
                trust_domain=str(roots["TrustDomain"]),
                index=int(leaf["ModifyIndex"]),
            )

    async def doors(self, destination: str) -> list[Sidecar]:
        """Give what takes TLS for ``destination`` and passes its checks."""
        datacenter = self.access.datacenter
        more = {"dc": datacenter} if datacenter else {}
        rule = '{ policy = "read" }'
        right = f'service_prefix "{destination}" {rule} and node_prefix "" {rule}'
        with self._telling(f"the sidecars of {destination}", right):
            path = f"/v1/health/connect/{destination}"
            return [_sidecar(entry) for entry in await self._json(path, passing="1", **more)]

    async def upstreams(self, destination: str) -> list[Upstream]:
        """Give the upstreams to ``destination`` in the registrations of this agent's sidecars."""
        right = 'service_prefix "" { policy = "read" }'
        with self._telling("this machine's services", right):
            services = await self._json("/v1/agent/services")
            return [
                _upstream(service, each)
                for service in services.values()
                if service.get("Kind") == _PROXY
                for each in service["Proxy"].get("Upstreams") or ()
                if self._leads_to(each, destination)
            ]

    async def denies(self, source: str, destination: str) -> bool:
        """Say whether the intentions surely deny it; never raises, a second at most."""
        try:
            async with asyncio.timeout(_INTENTION_SECONDS):
                answer = await self._json(
                    "/v1/connect/intentions/check", source=source, destination=destination
                )
        except (TimeoutError, ErlconnectError, StatusError, ValueError, RecursionError):
            return False
        return isinstance(answer, dict) and answer.get("Allowed") is False

    def _leads_to(self, upstream: Mapping[str, Any], destination: str) -> bool:
        datacenter = upstream.get("Datacenter") or ""
        return (
            upstream.get("DestinationName") == destination
            and upstream.get("DestinationType", "service") == "service"
            and datacenter in ("", self.access.datacenter)
            and bool(upstream.get("LocalBindPort"))
        )


def _sidecar(entry: Mapping[str, Any]) -> Sidecar:
    node, service = entry["Node"], entry["Service"]
    proxy = service.get("Proxy") or {}
    # A service that speaks the mesh's TLS itself is its own sidecar.
    inner = proxy.get("LocalServicePort") if service.get("Kind") == _PROXY else service["Port"]
    return Sidecar(
        address=str(service["Address"] or node["Address"]),
        node_address=str(node["Address"]),
        port=int(service["Port"]),
        service_port=int(inner or 0),
        datacenter=str(node["Datacenter"]),
        namespace=str(service.get("Namespace") or "default"),
    )


def _upstream(service: Mapping[str, Any], upstream: Mapping[str, Any]) -> Upstream:
    bound = str(upstream.get("LocalBindAddress") or "127.0.0.1")
    return Upstream(
        host={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound),  # noqa: S104 - dialled only
        port=int(upstream["LocalBindPort"]),
        source=str(service["Proxy"]["DestinationServiceName"]),
        proxy=str(service["ID"]),
    )
