"""Objects that hold data or lead to pods, as plain dicts: secrets, config maps, services."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from world.kubernetes.manifests import Manifest


def secret(name: str, values: Mapping[str, str | bytes], *, namespace: str = "default") -> Manifest:
    """An opaque Secret; its values are given plain."""
    raw = {
        key: value.encode() if isinstance(value, str) else value for key, value in values.items()
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode() for key, value in raw.items()},
    }


def config_map(name: str, values: Mapping[str, str], *, namespace: str = "default") -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": dict(values),
    }


def service(
    name: str,
    selector: Mapping[str, str],
    ports: Sequence[Manifest],
    *,
    namespace: str = "default",
    headless: bool = False,
) -> Manifest:
    """A Service; ``ports`` are entries such as ``{"name": "dns", "port": 53}``."""
    address = "None" if headless else "10.96.0.10"
    spec = {"type": "ClusterIP", "clusterIP": address, "ports": [dict(each) for each in ports]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**spec, **({"selector": dict(selector)} if selector else {})},
    }


def endpoint_slice(
    owner: Manifest, pods: Sequence[Manifest], ports: Sequence[Manifest], *, suffix: str = "x7k2p"
) -> Manifest:
    """The EndpointSlice of a Service, as it was put, with these pods, as they were put."""
    meta = owner["metadata"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{meta['name']}-{suffix}",
            "namespace": meta["namespace"],
            "labels": {"kubernetes.io/service-name": meta["name"]},
        },
        "addressType": "IPv4",
        "ports": [dict(each) for each in ports],
        "endpoints": [_endpoint(each) for each in pods],
    }


def _endpoint(pod: Manifest) -> Manifest:
    states = {each["type"]: each["status"] == "True" for each in pod["status"]["conditions"]}
    ending = "deletionTimestamp" in pod["metadata"]
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": states["Ready"] and not ending,
            "serving": states["Ready"],
            "terminating": ending,
        },
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": {
            "kind": "Pod",
            "name": pod["metadata"]["name"],
            "namespace": pod["metadata"]["namespace"],
            "uid": pod["metadata"]["uid"],
        },
    }
