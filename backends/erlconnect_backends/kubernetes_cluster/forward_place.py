"""Which pod a port-forward leads to: the one that was named, one of a service, or by its address.

Knows what a service's ports are in the pod. Refuses to connect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from erlconnect.api import UnreachableError
from erlconnect_backends.kubernetes_cluster.choice import nothing_usable, usable_pods
from erlconnect_backends.kubernetes_cluster.needs import PORT_FORWARD
from erlconnect_backends.kubernetes_cluster.pod_at_address import pod_at
from erlconnect_backends.kubernetes_cluster.questions import SERVICE, one
from erlconnect_backends.kubernetes_cluster.rest import Rest
from erlconnect_backends.kubernetes_cluster.targets_named import Named
from erlconnect_backends.kubernetes_cluster.workloads import Workloads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from erlconnect.api import Target
    from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess
    from erlconnect_backends.kubernetes_cluster.pods import Pod
    from erlconnect_backends.kubernetes_cluster.port_forward import PortForwardSettings

_TCP = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlace:
    """One pod of one cluster; ``ports`` are those of its service, and what they are in the pod."""

    access: ClusterAccess
    pod: str
    service: str = ""
    ports: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return self.access.namespace

    def port_in_pod(self, port: int) -> int:
        """Give the pod's port for ``port``; ``UnreachableError`` where its service has no such."""
        if not self.service:
            return port
        if port not in self.ports:
            known = ", ".join(map(str, self.ports)) or "none"
            raise UnreachableError(
                f"The service {self.namespace}/{self.service} has no TCP port {port}",
                remedy=f"Its TCP ports are: {known}. A port-forward carries no UDP.",
            )
        return self.ports[port]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod}"


async def place_of(
    settings: PortForwardSettings, access: ClusterAccess, target: Target
) -> PodPlace:
    """Give the pod that ``settings`` name, or else the one that has the target's address.

    Raises what the API server's answers raise, and ``NoNodeFoundError`` where no pod is usable.
    """
    if settings.pod:
        return PodPlace(access=access, pod=settings.pod)
    rest = Rest(access, needed=PORT_FORWARD)
    if settings.service:
        return await _of_service(rest, settings.service)
    return await _at_address(rest, target.address)


async def _of_service(rest: Rest, name: str) -> PodPlace:
    namespace = rest.access.namespace
    item = await rest.get(one(SERVICE, name, namespace=namespace))
    group = await Workloads(rest, namespace).named(Named(resource=SERVICE, name=name))
    pods = usable_pods(group, allow_unready=False)
    if not pods:
        raise nothing_usable(group)
    ports = dict(_ports(item, pods[0]))
    return PodPlace(access=rest.access, pod=pods[0].name, service=name, ports=ports)


def _ports(service: Mapping[str, Any], pod: Pod) -> Iterator[tuple[int, int]]:
    """Give each TCP port of ``service``, and the one in ``pod``, which may be named there."""
    named = {
        str(port["name"]): int(port["containerPort"])
        for container in pod.containers
        for port in container.get("ports") or ()
        if port.get("name") and port.get("protocol", _TCP) == _TCP
    }
    for port in service["spec"].get("ports") or ():
        inside = port.get("targetPort") or port["port"]
        inside = inside if isinstance(inside, int) else named.get(inside)
        if port.get("protocol", _TCP) == _TCP and inside:
            yield int(port["port"]), inside


async def _at_address(rest: Rest, address: str) -> PodPlace:
    pod = await pod_at(rest, address)
    if pod is None:
        raise UnreachableError(
            f"No pod in the namespace {rest.access.namespace} (context {rest.access.context}) runs"
            f" at the address {address or '(none)'}",
            remedy="Name its namespace with -o transport.namespace=, or the pod itself with"
            " -o transport.pod=.",
        )
    return PodPlace(access=rest.access, pod=pod.name)
