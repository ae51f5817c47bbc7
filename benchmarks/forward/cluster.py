"""A cluster with one pod, a process of its own: ``python -m benchmarks.forward.cluster FOLDER``.

Writes a kubeconfig into the folder and says that it is ready; ends when its stdin does. The pod has
the network of this machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from world.kubernetes import manifests
from world.kubernetes.api import KubernetesApi
from world.kubernetes.pods import HostPod

NAMESPACE, POD = "shop", "shop-0"
KUBECONFIG = "kubeconfig"
READY = "the cluster is ready"


def main() -> None:
    with KubernetesApi() as api:
        containers = [manifests.container("shop")]
        api.objects.put(manifests.pod(POD, namespace=NAMESPACE, containers=containers))
        api.pods.run(NAMESPACE, POD, HostPod())
        api.kubeconfig(Path(sys.argv[1]) / KUBECONFIG)
        print(READY, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
