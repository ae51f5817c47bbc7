"""Objects as plain dicts, with what a real cluster fills in: owners, revisions, conditions.

Each function gives a fresh dict that a test may change before it puts it into a cluster.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from world.kubernetes.objects import timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REVISION: Final = "deployment.kubernetes.io/revision"
HASH: Final = "pod-template-hash"
Manifest = dict[str, Any]


def container(name: str, **fields: object) -> Manifest:
    """A container of a pod's spec; ``fields`` are ``env``, ``envFrom``, ``ports``, ``args``."""
    return {"name": name, "image": f"registry.test/{name}:1", **fields}


def pod(
    name: str,
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    containers: Sequence[Manifest] = (),
    owner: Manifest | None = None,
    address: str = "",
    ready: bool = True,
    machine: str = "machine-1",
) -> Manifest:
    """A pod that runs; ``owner`` is the object that controls it, as it was put."""
    kept = [copy.deepcopy(each) for each in containers or [container("app")]]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels or {}),
            **({"ownerReferences": [owner_reference(owner)]} if owner else {}),
        },
        "spec": {"containers": kept, "nodeName": machine, "restartPolicy": "Always"},
        "status": {
            "phase": "Running",
            "hostIP": "192.0.2.1",
            **({"podIP": address, "podIPs": [{"ip": address}]} if address else {}),
            "startTime": timestamp(),
            "conditions": conditions(ready=ready),
            "containerStatuses": [
                {
                    "name": each["name"],
                    "ready": ready,
                    "started": True,
                    "restartCount": 0,
                    "image": each["image"],
                    "imageID": f"{each['image']}@sha256:{'0' * 64}",
                    "state": {"running": {"startedAt": timestamp()}},
                }
                for each in kept
            ],
        },
    }


def conditions(*, ready: bool) -> list[Manifest]:
    """The conditions of a pod that is scheduled and initialized."""
    kinds = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
    return [{"type": kind, "status": str(holds)} for kind, holds in kinds.items()]


def terminating(item: Manifest, seconds: int = 30) -> Manifest:
    """The same pod, asked to end: no longer ready, still there."""
    ending = copy.deepcopy(item)
    ending["metadata"]["deletionTimestamp"] = timestamp()
    ending["metadata"]["deletionGracePeriodSeconds"] = seconds
    ending["status"]["conditions"] = conditions(ready=False)
    for each in ending["status"]["containerStatuses"]:
        each["ready"] = False
    return ending


def deployment(
    name: str,
    *,
    namespace: str = "default",
    selector: Manifest | None = None,
    revision: int = 1,
    replicas: int = 1,
    containers: Sequence[Manifest] = (),
) -> Manifest:
    """A Deployment; without ``selector`` it selects ``app=NAME``."""
    meta = {"name": name, "namespace": namespace, "annotations": {REVISION: str(revision)}}
    spec = _workload_spec(name, selector, replicas, containers)
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), replicas)
    status = {"observedGeneration": 1, "availableReplicas": replicas, **counts}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**meta, "generation": 1},
        "spec": spec,
        "status": status,
    }


def replica_set(owner: Manifest, *, suffix: str, revision: int = 1, replicas: int = 1) -> Manifest:
    """The ReplicaSet that a Deployment, as it was put, has for one revision."""
    meta, spec = owner["metadata"], copy.deepcopy(owner["spec"])
    labels = spec["template"]["metadata"]["labels"]
    labels[HASH] = suffix
    spec["selector"].setdefault("matchLabels", {})[HASH] = suffix
    spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name']}-{suffix}",
            "namespace": meta["namespace"],
            "labels": dict(labels),
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": spec,
        "status": {"replicas": replicas, "readyReplicas": replicas},
    }


def workload(
    kind: str,
    name: str,
    *,
    namespace: str = "default",
    selector: Manifest | None = None,
    replicas: int = 1,
    containers: Sequence[Manifest] = (),
) -> Manifest:
    """A StatefulSet, DaemonSet or Job with as many pods."""
    spec = _workload_spec(name, selector, replicas, containers)
    status = {"replicas": replicas, "readyReplicas": replicas}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    elif kind == "DaemonSet":
        del spec["replicas"]
        words = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady")
        status = {**dict.fromkeys(words, replicas), "numberMisscheduled": 0}
    else:
        spec["parallelism"] = spec["completions"] = spec.pop("replicas")
        status = {"active": replicas, "ready": replicas}
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
        "status": status,
    }


def owner_reference(owner: Manifest) -> Manifest:
    """What an object says of its controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _workload_spec(
    name: str, selector: Manifest | None, replicas: int, containers: Sequence[Manifest]
) -> Manifest:
    chosen = selector or {"matchLabels": {"app": name}}
    return {
        "replicas": replicas,
        "selector": copy.deepcopy(chosen),
        "template": {
            "metadata": {"labels": {"app": name, **chosen.get("matchLabels", {})}},
            "spec": {"containers": [copy.deepcopy(each) for each in containers]},
        },
    }
