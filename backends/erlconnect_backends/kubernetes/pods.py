"""A pod as an API server describes it, and the target that is made of it.

``pod_of`` reads an object, ``pod_at`` finds the pod that has an address, and ``beam_container``
chooses the container with the node: a sidecar may come first. ``target_of`` makes the target for
``backend``: what the container's variables and flags say of the node counts; the rest the node
itself and its epmd tell when they are asked.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import (
    ERLANG_VARIABLES,
    NodeName,
    Ref,
    Target,
    UsageError,
    cookie_in_flags,
    read_variables,
)
from erlconnect_backends.kubernetes.container_env import COOKIE_NAMES, ContainerEnvironment
from erlconnect_backends.kubernetes.requests import POD, all_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from erlconnect.api import ErlangVariables
    from erlconnect_backends.kubernetes.api_client import ApiClient
    from erlconnect_backends.kubernetes.container_env import DataObjects

_EPMD_PORT: Final = 4369
_PORT_NAMES: Final = ("epmd", "dist", "erlang", "erl-dist", "distribution")
_VARIABLES: Final = (*ERLANG_VARIABLES, *COOKIE_NAMES)
_PREFIXES: Final = ("RELEASE_", "ERL_", "ERLANG_", "ELIXIR_", "RABBITMQ_")
_PROGRAMS: Final = ("erl", "beam.smp", "iex", "elixir", "mix", "rebar3")
_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod; ``item`` is the whole object, ``owners`` are the uids of its controllers."""

    name: str
    namespace: str
    address: str
    kubernetes_node: str
    phase: str
    ready: bool
    terminating: bool
    owners: tuple[str, ...]
    item: Mapping[str, Any]

    @property
    def running(self) -> bool:
        """Whether it runs and has an address to dial."""
        return self.phase == "Running" and bool(self.address)

    @property
    def containers(self) -> Sequence[Mapping[str, Any]]:
        """The containers that run, those of the spec first.

        Beside them run init containers that restart always (sidecars since Kubernetes 1.29), and
        ephemeral ones until they end. Init containers that only prepare are none.
        """
        spec = self.item["spec"]
        sidecars = [
            each
            for each in spec.get("initContainers") or ()
            if each.get("restartPolicy") == "Always"
        ]
        return [*(spec.get("containers") or ()), *sidecars, *self._ephemeral()]

    def _ephemeral(self) -> Iterator[Mapping[str, Any]]:
        statuses = (self.item.get("status") or {}).get("ephemeralContainerStatuses") or ()
        ended = {one["name"] for one in statuses if "terminated" in (one.get("state") or {})}
        for each in self.item["spec"].get("ephemeralContainers") or ():
            if each["name"] not in ended:
                yield each

    @property
    def state(self) -> str:
        """Why it is not usable, in the words of ``kubectl get pods``."""
        if self.terminating:
            return "terminating"
        return next(self._waiting_reasons(), "not ready" if self.running else self.phase.lower())

    def _waiting_reasons(self) -> Iterator[str]:
        for status in (self.item.get("status") or {}).get("containerStatuses") or ():
            for state in (status.get("state") or {}).values():
                if reason := (state or {}).get("reason"):
                    yield str(reason)


def pod_of(item: Mapping[str, Any]) -> Pod:
    """Return the pod that an API server's object describes."""
    meta, status = item["metadata"], item.get("status") or {}
    states = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    return Pod(
        name=str(meta["name"]),
        namespace=str(meta["namespace"]),
        address=str(status.get("podIP") or ""),
        kubernetes_node=str(item["spec"].get("nodeName") or ""),
        phase=str(status.get("phase") or "Unknown"),
        # A condition is "True", "False" or "Unknown", each a text.
        ready=states.get("Ready") == "True",
        # The phase stays "Running" until the containers have ended.
        terminating=bool(meta.get("deletionTimestamp")),
        owners=tuple(str(one["uid"]) for one in meta.get("ownerReferences") or ()),
        item=item,
    )


async def pod_at(rest: ApiClient, address: str) -> Pod | None:
    """Return the running pod of the namespace that has ``address`` in either family."""
    items = await rest.items(all_of(POD, namespace=rest.access.namespace))
    # Pods that have ended keep their address in the object, and a later one may have it again.
    pods = [pod_of(item) for item in items if address in _addresses(item)]
    return next((pod for pod in pods if pod.running), None)


def _addresses(pod: Mapping[str, Any]) -> list[str]:
    # A pod of a dual-stack cluster has an address of each family in ``podIPs``.
    status = pod.get("status") or {}
    return [str(one["ip"]) for one in status.get("podIPs") or ()] + [status.get("podIP") or ""]


def beam_container(pod: Pod, wanted: str = "") -> Mapping[str, Any]:
    """Return the container called ``wanted``, or the one that looks most like Erlang.

    Where none does, it is the one that kubectl would take. Raises ``UsageError`` where there is
    none called ``wanted``.
    """
    by_name = {str(container["name"]): container for container in pod.containers}
    if wanted:
        if wanted not in by_name:
            raise UsageError(
                f"The pod {pod.name} has no container {wanted!r}",
                remedy=f"It has {', '.join(by_name)}: choose with -o container=.",
            )
        return by_name[wanted]
    annotations = pod.item["metadata"].get("annotations") or {}
    # What kubectl would take without -c: the annotation's container, else the first.
    usual = by_name.get(annotations.get(_DEFAULT_CONTAINER, ""), pod.containers[0])
    # On a tie the container that kubectl would take is kept.
    likely = max(pod.containers, key=_evidence)
    return likely if _evidence(likely) > _evidence(usual) else usual


def _evidence(container: Mapping[str, Any]) -> int:
    return sum(1 for _ in _signs(container))


def _signs(container: Mapping[str, Any]) -> Iterator[str]:
    for port in container.get("ports") or ():
        if port.get("containerPort") == _EPMD_PORT or port.get("name") in _PORT_NAMES:
            yield "port"
    for variable in container.get("env") or ():
        name = str(variable["name"])
        if name in _VARIABLES or name.startswith(_PREFIXES):
            yield "variable"
    for word in (*(container.get("command") or ()), *(container.get("args") or ())):
        if PurePosixPath(str(word)).name in _PROGRAMS:
            yield "program"


async def target_of(
    pod: Pod,
    *,
    container: str,
    data: DataObjects,
    access: Mapping[str, object],
    wanted: str,
    facts: Mapping[str, str],
    warn: Callable[[str], None],
) -> Target:
    """Return ``pod`` as a target.

    ``access`` are the settings that lead to this cluster again, ``wanted`` is TARGET if that names
    the pods, and ``facts`` are known of its whole group. ``warn`` gets what cannot work. Raises
    as ``DataObjects``, and ``UsageError`` where there is no such container.
    """
    chosen = beam_container(pod, container)
    environment = ContainerEnvironment(pod, chosen, data)
    variables = await environment.known(ERLANG_VARIABLES)
    command_line = await environment.command_line()
    erlang = read_variables(variables, command_line)
    if erlang.distribution == "none":
        warn(_without_distribution(pod, chosen))
    place = {**access, "pod": pod.name}
    inside = {**place, "container": str(chosen["name"]), "target": wanted}
    return Target(
        # What is not known here stays empty: the node and its epmd are asked later.
        node=_node(pod, erlang),
        address=pod.address,
        dist_port=erlang.dist_port,
        epmd_port=erlang.epmd_port or 4369,
        cookies=_cookies(inside, variables, command_line),
        transports=(Ref(name="kubernetes-port-forward", settings=place),),
        facts={**facts, **_facts(pod, chosen), **_erlang_facts(erlang)},
    )


def _without_distribution(pod: Pod, container: Mapping[str, Any]) -> str:
    return (
        f"RELEASE_DISTRIBUTION=none in {container['name']} of the pod {pod.name}: such a release"
        " takes no connections; set it to name or sname and start the pod anew"
    )


def _cookies(
    inside: Mapping[str, object], variables: Mapping[str, str], command_line: Sequence[str]
) -> tuple[Ref, ...]:
    """Return the sources of the cookie, best first."""
    outside = Ref(name="kubernetes-env", settings=inside)
    within = Ref(name="kubernetes-exec", settings=inside)
    # Where only a variable like ERL_FLAGS sets a cookie, the image's own files (vm.args) may set
    # another after it. Only the running node's flags tell which one it took.
    if cookie_in_flags(variables, command_line) and not cookie_in_flags({}, command_line):
        return (Ref(name=within.name, settings={**inside, "optional": True}), outside)
    return (outside, within)


def _node(pod: Pod, erlang: ErlangVariables) -> NodeName:
    """Return the node's name as far as variables and flags contain it."""
    if erlang.node:
        return erlang.node
    if erlang.name and erlang.distribution == "sname":
        # The host of a short name is what ``hostname`` prints in the pod.
        return NodeName(name=erlang.name, host=_hostname(pod))
    return NodeName(name=erlang.name, host=pod.address)


def _hostname(pod: Pod) -> str:
    return str(pod.item["spec"].get("hostname") or pod.name)


def _facts(pod: Pod, container: Mapping[str, Any]) -> dict[str, str]:
    return {
        "namespace": pod.namespace,
        "pod": pod.name,
        "container": str(container["name"]),
        "node": pod.kubernetes_node,
        "ready": "no" if pod.terminating or not pod.ready else "yes",
        "hostname": _hostname(pod),
    }


def _erlang_facts(erlang: ErlangVariables) -> dict[str, str]:
    facts = {
        "dist_ports": erlang.dist_ports,
        "protocol": erlang.protocol,
        "distribution": erlang.distribution,
    }
    return {key: value for key, value in facts.items() if value}
