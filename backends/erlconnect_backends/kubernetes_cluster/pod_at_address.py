"""The pod that has an address: for targets of backends that know addresses and no pods, as dns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erlconnect_backends.kubernetes_cluster.pods import pod_of
from erlconnect_backends.kubernetes_cluster.questions import POD, all_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect_backends.kubernetes_cluster.pods import Pod
    from erlconnect_backends.kubernetes_cluster.rest import Rest


async def pod_at(rest: Rest, address: str) -> Pod | None:
    """Give the running pod of the namespace that has ``address`` in either family."""
    items = await rest.items(all_of(POD, namespace=rest.access.namespace))
    pods = [pod_of(item) for item in items if address in _addresses(item)]
    return next((pod for pod in pods if pod.running), None)


def _addresses(pod: Mapping[str, Any]) -> list[str]:
    status = pod.get("status") or {}
    return [str(one["ip"]) for one in status.get("podIPs") or ()] + [status.get("podIP") or ""]
