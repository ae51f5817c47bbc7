"""Makes a target of a pod: its name, ports and facts, and the offers that lead to it.

What the container's variables and flags tell of the node counts; what they do not, the node itself
and its epmd tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erlconnect.api import (
    ERLANG_VARIABLES,
    NodeName,
    Ref,
    Target,
    cookie_in_flags,
    read_variables,
)
from erlconnect_backends.kubernetes_cluster.beam_container import beam_container
from erlconnect_backends.kubernetes_cluster.container_environment import ContainerEnvironment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from erlconnect.api import ErlangVariables
    from erlconnect_backends.kubernetes_cluster.data_objects import DataObjects
    from erlconnect_backends.kubernetes_cluster.pods import Pod


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
    """Give the target.

    ``access`` are the settings that lead to this cluster again, ``wanted`` is TARGET if that names
    the pods, and ``facts`` are known of its whole group. ``warn`` is told what cannot work. Raises
    as ``DataObjects``, and ``UsageError`` where there is no such container.
    """
    chosen = beam_container(pod, container)
    environment = ContainerEnvironment(pod, chosen, data)
    variables = await environment.known(ERLANG_VARIABLES)
    command_line = await environment.command_line()
    told = read_variables(variables, command_line)
    if told.distribution == "none":
        warn(
            f"RELEASE_DISTRIBUTION=none in {chosen['name']} of the pod {pod.name}: such a release"
            " takes no connections; set it to name or sname and start the pod anew"
        )
    place = {**access, "pod": pod.name}
    inside = {**place, "container": str(chosen["name"]), "target": wanted}
    return Target(
        node=_node(pod, told),
        address=pod.address,
        dist_port=told.dist_port,
        epmd_port=told.epmd_port or 4369,
        cookies=_cookies(inside, variables, command_line),
        transports=(Ref(name="kubernetes-port-forward", settings=place),),
        facts={**facts, **_facts(pod, chosen), **_told_facts(told)},
    )


def _cookies(
    inside: Mapping[str, object], variables: Mapping[str, str], command_line: Sequence[str]
) -> tuple[Ref, ...]:
    """Return the sources of the cookie, best first.

    Where only a variable like ERL_FLAGS has a flag for it, what the image's own files add decides
    whether the node takes that one, and only the running node's flags tell.
    """
    outside = Ref(name="kubernetes-env", settings=inside)
    within = Ref(name="kubernetes-exec", settings=inside)
    if cookie_in_flags(variables, command_line) and not cookie_in_flags({}, command_line):
        return (Ref(name=within.name, settings={**inside, "optional": True}), outside)
    return (outside, within)


def _node(pod: Pod, told: ErlangVariables) -> NodeName:
    """Give the name as far as it is told; a short name's host is the pod's host name."""
    if told.node:
        return told.node
    if told.name and told.distribution == "sname":
        return NodeName(name=told.name, host=_hostname(pod))
    return NodeName(name=told.name, host=pod.address)


def _hostname(pod: Pod) -> str:
    return str(pod.item["spec"].get("hostname") or pod.name)


def _facts(pod: Pod, container: Mapping[str, Any]) -> dict[str, str]:
    return {
        "namespace": pod.namespace,
        "pod": pod.name,
        "container": str(container["name"]),
        "node": pod.machine,
        "ready": "no" if pod.terminating or not pod.ready else "yes",
        "hostname": _hostname(pod),
    }


def _told_facts(told: ErlangVariables) -> dict[str, str]:
    facts = {
        "dist_ports": told.dist_ports,
        "protocol": told.protocol,
        "distribution": told.distribution,
    }
    return {key: value for key, value in facts.items() if value}
