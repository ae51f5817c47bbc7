"""Which container of a pod holds the node: a sidecar may come first."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import ERLANG_VARIABLES, UsageError
from erlconnect_backends.kubernetes_cluster.cookie_names import COOKIE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from erlconnect_backends.kubernetes_cluster.pods import Pod

_EPMD_PORT: Final = 4369
_PORT_NAMES: Final = ("epmd", "dist", "erlang", "erl-dist", "distribution")
_VARIABLES: Final = (*ERLANG_VARIABLES, *COOKIE_NAMES)
_PREFIXES: Final = ("RELEASE_", "ERL_", "ERLANG_", "ELIXIR_", "RABBITMQ_")
_PROGRAMS: Final = ("erl", "beam.smp", "iex", "elixir", "mix", "rebar3")
_DEFAULT: Final = "kubectl.kubernetes.io/default-container"


def beam_container(pod: Pod, wanted: str = "") -> Mapping[str, Any]:
    """Give the container called ``wanted``, or the one that looks most like Erlang.

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
    usual = by_name.get(annotations.get(_DEFAULT, ""), pod.containers[0])
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
