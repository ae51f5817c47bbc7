"""Workloads in a cluster: objects as their controllers would leave them. No pod runs."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from backends.kubernetes.asking import NAMESPACE
from world.kubernetes import manifests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from world.kubernetes.api import KubernetesApi
    from world.kubernetes.manifests import Manifest


class Workshop:
    """Puts objects into ``shop``; addresses of pods count up from 10.3.0.1."""

    def __init__(self, api: KubernetesApi) -> None:
        self._objects = api.objects
        self._numbers = itertools.count(1)

    def put(self, item: Manifest) -> Manifest:
        return self._objects.put(item)

    def pod(
        self, name: str, *, owner: Manifest | None = None, ready: bool = True, **more: Any
    ) -> Manifest:
        """A pod that runs; without ``labels`` it has those of its owner's template."""
        labels = owner["spec"]["template"]["metadata"]["labels"] if owner else {}
        return self.put(
            manifests.pod(
                name,
                namespace=NAMESPACE,
                owner=owner,
                ready=ready,
                address=f"10.3.0.{next(self._numbers)}",
                **{"labels": labels, **more},
            )
        )

    def ending(self, pod: Manifest) -> Manifest:
        return self.put(manifests.terminating(pod))

    def deployment(
        self, name: str = "shop", *, revision: int = 1, selector: Manifest | None = None
    ) -> Manifest:
        """A Deployment; putting it again with another revision is what its controller does."""
        return self.put(
            manifests.deployment(name, namespace=NAMESPACE, revision=revision, selector=selector)
        )

    def replica_set(
        self, owner: Manifest, suffix: str, *, revision: int, pods: Sequence[str] = ()
    ) -> Manifest:
        """One revision's ReplicaSet with its pods, ``NAME-SUFFIX-POD`` each."""
        item = self.put(manifests.replica_set(owner, suffix=suffix, revision=revision))
        for each in pods:
            self.pod(f"{item['metadata']['name']}-{each}", owner=item)
        return item

    def workload(
        self, kind: str, name: str, *, pods: Sequence[str], selector: Manifest | None = None
    ) -> Manifest:
        """A StatefulSet, DaemonSet or Job with its pods."""
        item = self.put(manifests.workload(kind, name, namespace=NAMESPACE, selector=selector))
        for each in pods:
            self.pod(each, owner=item)
        return item

    def grant(self, user: str, rules: Sequence[Manifest]) -> None:
        """Return ``user`` these rights in the namespace, and no others."""
        kind = "rbac.authorization.k8s.io"
        meta = {"name": "given", "namespace": NAMESPACE}
        head = {"apiVersion": f"{kind}/v1", "metadata": meta}
        self.put({**head, "kind": "Role", "rules": list(rules)})
        self.put(
            {
                **head,
                "kind": "RoleBinding",
                "roleRef": {"apiGroup": kind, "kind": "Role", "name": "given"},
                "subjects": [{"kind": "User", "name": user}],
            }
        )
