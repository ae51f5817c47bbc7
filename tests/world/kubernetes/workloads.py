"""Workloads whose pods are real Erlang nodes, in the cluster of an API server double.

What all controllers of a cluster do with pods; each kind of its own is in a file of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from world.kubernetes import manifests
from world.kubernetes.erlang_pods import ErlangPod

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from world.kubernetes.cluster import Cluster
    from world.kubernetes.manifests import Manifest


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


class ErlangWorkload:
    """Pods of one controller; a context manager that ends and removes them."""

    def __init__(self, cluster: Cluster, template: Template, namespace: str) -> None:
        self.namespace = namespace
        self.template = template
        self.pods: list[ErlangPod] = []
        self._cluster = cluster

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove_all()

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

    def remove_all(self) -> None:
        """End all pods and delete their objects."""
        for pod in list(self.pods):
            self.remove(pod)

    def restart(self, pod: ErlangPod) -> None:
        """Do what a kubelet does when a container ends: begin it anew, in the same pod."""
        pod.kill()
        self._tell(pod, ready=False, restarts=0)
        pod.restart()
        self._tell(pod, ready=True, restarts=1)

    def _run(self, name: str, owner: Manifest) -> ErlangPod:
        """Start a pod of ``owner``; it is ready."""
        pod = self.template.start(name)
        self.pods.append(pod)
        self._cluster.pods.run(self.namespace, name, pod)
        self._cluster.objects.put(
            manifests.pod(
                name,
                namespace=self.namespace,
                labels=owner["spec"]["template"]["metadata"]["labels"],
                containers=self.template.containers(),
                owner=owner,
                address=pod.address,
            )
        )
        return pod

    def _tell(self, pod: ErlangPod, *, ready: bool, restarts: int) -> None:
        def edit(item: Manifest) -> None:
            item["status"]["conditions"] = manifests.conditions(ready=ready)
            for each in item["status"]["containerStatuses"]:
                each["ready"] = ready
                each["restartCount"] += restarts

        self._cluster.objects.change("pods", self.namespace, pod.name, edit)
