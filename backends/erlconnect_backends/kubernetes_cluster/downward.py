"""``fieldRef`` and ``resourceFieldRef``: what a pod's own object says of it.

https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect_backends.kubernetes_cluster.pods import Pod

_ENTRY: Final = re.compile(r"metadata\.(?P<map>labels|annotations)\['(?P<key>[^']+)'\]")
_QUANTITY: Final = re.compile(r"(?P<number>[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(?P<suffix>[A-Za-z]*)")
_DECIMAL: Final = {"n": -3, "u": -2, "m": -1, "": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_BINARY: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_PLAIN: Final = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "metadata.uid": ("metadata", "uid"),
    "spec.nodeName": ("spec", "nodeName"),
    "spec.serviceAccountName": ("spec", "serviceAccountName"),
    "status.hostIP": ("status", "hostIP"),
    "status.podIP": ("status", "podIP"),
}
_ADDRESSES: Final = {"status.podIPs": "podIPs", "status.hostIPs": "hostIPs"}


def field_value(pod: Pod, path: str) -> str | None:
    """Give the field's value as the kubelet writes it; ``None`` where it is not known here."""
    if entry := _ENTRY.fullmatch(path):
        return str((pod.item["metadata"].get(entry["map"]) or {}).get(entry["key"], ""))
    if path in _ADDRESSES:
        addresses = (pod.item.get("status") or {}).get(_ADDRESSES[path])
        return ",".join(str(one["ip"]) for one in addresses) if addresses else None
    if path not in _PLAIN:
        return None
    part, key = _PLAIN[path]
    value = (pod.item.get(part) or {}).get(key)
    return None if value is None else str(value)


def resource_value(
    pod: Pod, container: Mapping[str, Any], reference: Mapping[str, Any]
) -> str | None:
    """Give a request or a limit in units of the divisor; ``None`` where only the machine knows."""
    named = reference.get("containerName") or container["name"]
    owner = next((one for one in pod.containers if one["name"] == named), None)
    kind, _, resource = str(reference.get("resource", "")).partition(".")
    amounts = ((owner or {}).get("resources") or {}).get(kind) or {}
    if resource not in amounts:
        return "0" if owner and kind == "requests" else None
    amount = _quantity(str(amounts[resource]))
    divisor = _quantity(str(reference.get("divisor") or "1")) or Fraction(1)
    return None if amount is None else str(math.ceil(amount / divisor))


def _quantity(text: str) -> Fraction | None:
    match = _QUANTITY.fullmatch(text)
    if not match:
        return None
    number, suffix = Fraction(match["number"]), match["suffix"]
    if suffix in _BINARY:
        return number * Fraction(1024) ** _BINARY[suffix]
    return number * Fraction(1000) ** _DECIMAL[suffix] if suffix in _DECIMAL else None
