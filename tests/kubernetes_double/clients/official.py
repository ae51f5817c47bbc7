"""Kubernetes' own Python client, as a program: does one thing and prints what it saw as JSON.

A program of its own, because the library leaves sockets and threads behind.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from kubernetes import client, config, stream, watch
from kubernetes_double.echo import digest_after_echo, digest_of

_SECONDS = 20


def listed(pods: client.CoreV1Api) -> Any:
    """The names of the pods with a label, and what the absence of a pod looks like."""
    items = pods.list_namespaced_pod("shop", label_selector="app=shop").items
    try:
        pods.read_namespaced_pod("none", "shop")
    except client.ApiException as error:
        return {"names": [_name(item) for item in items], "absent": error.status}
    return {}


def watched(pods: client.CoreV1Api, version: str) -> Any:
    """What has changed since ``version``."""
    events = watch.Watch().stream(
        pods.list_namespaced_pod, "shop", resource_version=version, timeout_seconds=1
    )
    return [[event["type"], _name(event["object"])] for event in events]


def typed(pods: client.CoreV1Api) -> Any:
    """How many objects of each kind there are; the library checks the type of every field."""
    connection = pods.api_client
    apps = client.AppsV1Api(connection)
    rights = client.RbacAuthorizationV1Api(connection)
    lists: dict[str, Any] = {
        "deployments": apps.list_namespaced_deployment,
        "replicasets": apps.list_namespaced_replica_set,
        "statefulsets": apps.list_namespaced_stateful_set,
        "daemonsets": apps.list_namespaced_daemon_set,
        "jobs": client.BatchV1Api(connection).list_namespaced_job,
        "services": pods.list_namespaced_service,
        "secrets": pods.list_namespaced_secret,
        "configmaps": pods.list_namespaced_config_map,
        "endpointslices": client.DiscoveryV1Api(connection).list_namespaced_endpoint_slice,
        "roles": rights.list_namespaced_role,
        "rolebindings": rights.list_namespaced_role_binding,
    }
    return {plural: len(read("shop").items) for plural, read in lists.items()}


def forwarded(pods: client.CoreV1Api, port: str, megabytes: str) -> Any:
    """Whether data came back as it went, and what is said of a port where nobody listens."""
    forward = stream.portforward(
        pods.connect_get_namespaced_pod_portforward, "shop-1", "shop", ports=f"{port},1"
    )
    data = os.urandom(int(megabytes) << 20)
    to_pod = forward.socket(int(port))
    to_pod.setblocking(True)
    same = digest_after_echo(to_pod, data) == digest_of(data)
    said = {"same": same, "error": forward.error(int(port)), "refused": forward.error(1)}
    to_pod.close()
    return said


def forwarded_nowhere(pods: client.CoreV1Api) -> Any:
    """What is said where there is no pod."""
    try:
        stream.portforward(pods.connect_get_namespaced_pod_portforward, "none", "shop", ports="1")
    except client.ApiException as error:
        return error.reason
    return ""


def executed(pods: client.CoreV1Api) -> Any:
    """Both outputs and the exit code of a command that was given a line."""
    running = stream.stream(
        pods.connect_get_namespaced_pod_exec,
        *("shop-1", "shop"),
        command=["sh", "-c", "read line; echo $line; echo err >&2; exit 5"],
        **dict.fromkeys(("stdin", "stdout", "stderr"), True),
        tty=False,
        _preload_content=False,
    )
    running.write_stdin("hello\n")
    running.run_forever(timeout=_SECONDS)
    return [running.read_stdout(), running.read_stderr(), running.returncode]


def _name(item: client.V1Pod) -> str | None:
    return item.metadata.name if item.metadata else None


def main(kubeconfig: str, what: str, *words: str) -> None:
    configuration = client.Configuration()
    config.load_kube_config(kubeconfig, client_configuration=configuration)
    pods = client.CoreV1Api(client.ApiClient(configuration))
    everything = (listed, watched, typed, forwarded, forwarded_nowhere, executed)
    work = {each.__name__: each for each in everything}
    print(json.dumps(work[what](pods, *words)))


if __name__ == "__main__":
    main(*sys.argv[1:])
