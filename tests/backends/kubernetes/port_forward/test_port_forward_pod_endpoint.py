"""Which pod is meant: by its name, by a service and its ports, by its address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from backends.kubernetes.port_forward.here import NAMESPACE, POD, Here, echoed, target
from world.kubernetes import manifests
from world.kubernetes.pods import HostPod
from world.listeners import echo, listening

from erlconnect.api import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

LABELS = {"app": "shop"}


def run(here: Here, name: str, ports: Sequence[dict[str, Any]] = (), **fields: Any) -> None:
    """A pod of the service."""
    containers = [manifests.container("shop", ports=list(ports))]
    here.api.objects.put(
        manifests.pod(name, namespace=NAMESPACE, labels=LABELS, containers=containers, **fields)
    )
    here.api.pods.run(NAMESPACE, name, HostPod())


def serve(here: Here, *ports: dict[str, Any]) -> None:
    """The service."""
    here.api.objects.put(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "shop", "namespace": NAMESPACE},
            "spec": {"selector": LABELS, "ports": list(ports)},
        }
    )


async def reach(here: Here, port: int, **settings: str) -> None:
    """Dial ``port``, which has to be an echo."""
    transport = here.transport(pod="", **settings)
    async with transport.open(target(port)) as dialer:
        with await dialer.dial(port) as stream:
            assert await echoed(stream, b"erl") == b"erl"


async def test_a_services_port_has_a_name_in_the_pod(here: Here) -> None:
    with listening(echo) as port:
        run(here, "shop-1", [{"name": "dist", "containerPort": port}], address="10.0.0.1")
        serve(here, {"port": 80, "targetPort": "dist"})
        await reach(here, 80, service="shop")


async def test_a_services_port_is_a_number_in_the_pod(here: Here) -> None:
    with listening(echo) as port:
        run(here, "shop-1", address="10.0.0.1")
        serve(here, {"port": 80, "protocol": "TCP", "targetPort": port})
        await reach(here, 80, service="shop")


async def test_a_services_port_is_the_same_in_the_pod(here: Here) -> None:
    with listening(echo) as port:
        run(here, "shop-1", address="10.0.0.1")
        serve(here, {"port": port})
        await reach(here, port, service="shop")


async def test_udp_is_not_carried(here: Here) -> None:
    run(here, "shop-1", [{"name": "dns", "containerPort": 53}], address="10.0.0.1")
    serve(here, {"port": 53, "protocol": "UDP", "targetPort": "dns"}, {"port": 80})
    with pytest.raises(UnreachableError, match="has no TCP port 53") as failed:
        await reach(here, 53, service="shop")
    assert "80" in failed.value.remedy


async def test_a_pod_that_is_not_ready_is_none_of_the_service(here: Here) -> None:
    run(here, "shop-1", address="10.0.0.1", ready=False)
    serve(here, {"port": 80})
    with pytest.raises(UnreachableError, match=r"shop-1 \(not ready\)"):
        await reach(here, 80, service="shop")


async def test_a_service_that_is_not_there(here: Here) -> None:
    with pytest.raises(UnreachableError, match='services "shop" not found'):
        await reach(here, 80, service="shop")


async def test_the_pod_at_the_targets_address(here: Here) -> None:
    with listening(echo) as port:
        run(here, "shop-1", address="10.0.0.1")
        run(here, "shop-2", address="10.0.0.2")
        here.api.pods.stop(NAMESPACE, "shop-2")
        here.remove_pod()
        await reach(here, port)


async def test_nobody_at_the_targets_address(here: Here) -> None:
    run(here, "shop-2", address="10.0.0.2")
    with pytest.raises(UnreachableError, match=r"runs at the address 10\.0\.0\.1") as failed:
        await reach(here, 80)
    assert "-o transport.namespace=" in failed.value.remedy
    assert POD not in failed.value.message
