"""StatefulSets of real Erlang nodes: pods that keep their names and nothing else."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from world.kubernetes import manifests
from world.kubernetes.workloads import ErlangWorkload

if TYPE_CHECKING:
    from world.kubernetes.cluster import Cluster
    from world.kubernetes.erlang_pods import ErlangPod
    from world.kubernetes.workloads import Template


class ErlangStatefulSet(ErlangWorkload):
    """A StatefulSet with its pods ``NAME-0``, ``NAME-1`` and so on."""

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
        self._item = cluster.objects.put(
            manifests.workload(
                "StatefulSet",
                name,
                namespace=namespace,
                replicas=replicas,
                containers=template.containers(),
            )
        )
        with ExitStack() as stack:
            stack.callback(self.remove_all)
            for number in range(replicas):
                self._run(f"{name}-{number}", self._item)
            stack.pop_all()

    def replace(self, pod: ErlangPod) -> ErlangPod:
        """The same name, another pod: the old one ends and is gone before the new one comes."""
        self.terminate(pod)
        self.remove(pod)
        return self._run(pod.name, self._item)
