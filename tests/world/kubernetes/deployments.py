"""Deployments of real Erlang nodes: revisions, ReplicaSets, pods that come and go."""

from __future__ import annotations

import itertools
import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from world.kubernetes import manifests
from world.kubernetes.workloads import ErlangWorkload, Template

if TYPE_CHECKING:
    from world.kubernetes.cluster import Cluster
    from world.kubernetes.erlang_pods import ErlangPod
    from world.kubernetes.manifests import Manifest

__all__ = ["ErlangDeployment", "Template"]
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"  # those of Kubernetes' own names


class ErlangDeployment(ErlangWorkload):
    """A Deployment with its pods."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        template: Template,
        *,
        namespace: str = "shop",
        replicas: int = 1,
    ) -> None:
        super().__init__(cluster, template, namespace)
        self.name = name
        self._revisions = itertools.count(1)
        self._replica_set: Manifest = {}
        self._begin_revision(replicas)
        with ExitStack() as stack:
            stack.callback(self.remove_all)
            for _ in range(replicas):
                self.add()
            stack.pop_all()

    def add(self) -> ErlangPod:
        """Start one more pod of the current revision; it is ready."""
        return self._run(f"{self._replica_set['metadata']['name']}-{_suffix(5)}", self._replica_set)

    def replace(self, pod: ErlangPod) -> ErlangPod:
        """Another name, another address: the new one is there, the old one ending, then gone."""
        new = self.add()
        self.terminate(pod)
        self.remove(pod)
        return new

    def roll_out(self, template: Template | None = None) -> None:
        """A new revision: all pods are replaced, and the older ReplicaSet stays with none."""
        self.template = template or self.template
        old, older = list(self.pods), self._replica_set
        self._begin_revision(len(old))
        for pod in old:
            self.replace(pod)
        older["spec"]["replicas"] = 0
        older["status"] = {"replicas": 0}
        self._cluster.objects.put(older)

    def _begin_revision(self, replicas: int) -> None:
        revision = next(self._revisions)
        owner = self._cluster.objects.put(
            manifests.deployment(
                self.name,
                namespace=self.namespace,
                revision=revision,
                replicas=replicas,
                containers=self.template.containers(),
            )
        )
        self._replica_set = self._cluster.objects.put(
            manifests.replica_set(owner, suffix=_suffix(10), revision=revision, replicas=replicas)
        )


def _suffix(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
