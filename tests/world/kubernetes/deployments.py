"""Deployments whose pods are real Erlang nodes, in the cluster of an API server double.

Does what the controllers of a cluster do: revisions, ReplicaSets, pods that come and go.
"""

from __future__ import annotations

import itertools
import secrets
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from world.kubernetes import manifests
from world.kubernetes.erlang_pods import ErlangPod

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from world.kubernetes.cluster import Cluster
    from world.kubernetes.manifests import Manifest

_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"  # those of Kubernetes' own names


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What every pod of a deployment is made of.

    ``env`` and ``env_from`` are entries of the container's spec, ``environment`` what its processes
    really see: where it is not given, the literal values of ``env``. ``sidecars`` are containers
    in which nothing runs; with ``sidecar_first`` they stand before the node's own. ``flags`` and
    ``files`` are the node's; see ``ErlangPod``.
    """

    node: str = "shop"
    cookie: str
    container: str = "shop"
    env: Sequence[Manifest] = ()
    env_from: Sequence[Manifest] = ()
    environment: Mapping[str, str] | None = None
    ports: Sequence[Manifest] = ()
    sidecars: Sequence[Manifest] = ()
    sidecar_first: bool = False
    flags: Sequence[str] = ()
    epmd_port: int = 4369
    release: str = "25"
    files: Mapping[str, str] = field(default_factory=dict)

    def containers(self) -> list[Manifest]:
        """The containers of the spec."""
        lists = {"env": self.env, "envFrom": self.env_from, "ports": self.ports}
        filled = {
            key: [dict(each) for each in entries] for key, entries in lists.items() if entries
        }
        own = manifests.container(self.container, **filled)
        return [*self.sidecars, own] if self.sidecar_first else [own, *self.sidecars]

    def start(self, name: str) -> ErlangPod:
        """Run a pod of this name."""
        literal = {each["name"]: each["value"] for each in self.env if "value" in each}
        return ErlangPod(
            name,
            node=self.node,
            cookie=self.cookie,
            containers=[self.container, *(each["name"] for each in self.sidecars)],
            environment=literal if self.environment is None else self.environment,
            flags=self.flags,
            epmd_port=self.epmd_port,
            release=self.release,
            files=self.files,
        )


class ErlangDeployment:
    """A Deployment with its pods; a context manager that ends and removes the pods."""

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        template: Template,
        *,
        namespace: str = "shop",
        replicas: int = 1,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.template = template
        self.pods: list[ErlangPod] = []
        self._cluster = cluster
        self._revisions = itertools.count(1)
        self._replica_set: Manifest = {}
        self._begin_revision(replicas)
        with ExitStack() as stack:
            stack.callback(self._remove_all)
            for _ in range(replicas):
                self.add()
            stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove_all()

    def add(self) -> ErlangPod:
        """Start one more pod of the current revision; it is ready."""
        name = f"{self._replica_set['metadata']['name']}-{_suffix(5)}"
        pod = self.template.start(name)
        self.pods.append(pod)
        self._cluster.pods.run(self.namespace, name, pod)
        labels = self._replica_set["spec"]["template"]["metadata"]["labels"]
        self._cluster.objects.put(
            manifests.pod(
                name,
                namespace=self.namespace,
                labels=labels,
                containers=self.template.containers(),
                owner=self._replica_set,
                address=pod.address,
            )
        )
        return pod

    def terminate(self, pod: ErlangPod) -> None:
        """Mark a pod as ending, as a rollout or an eviction does first; it still runs."""
        item = self._cluster.objects.get("pods", self.namespace, pod.name)
        self._cluster.objects.put(manifests.terminating(item))

    def remove(self, pod: ErlangPod) -> None:
        """End a pod and delete its object."""
        pod.close()
        self._cluster.pods.stop(self.namespace, pod.name)
        self._cluster.objects.remove("pods", self.namespace, pod.name)
        self.pods.remove(pod)

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

    def _remove_all(self) -> None:
        for pod in list(self.pods):
            self.remove(pod)

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
