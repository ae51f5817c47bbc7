"""Which pod and container a cookie is looked for in: for both cookie sources of Kubernetes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from erlconnect.api import Cookie, NoNodeFoundError, cookie_text
from erlconnect_backends.kubernetes_cluster import needs
from erlconnect_backends.kubernetes_cluster.access import AccessSettings
from erlconnect_backends.kubernetes_cluster.beam_container import beam_container
from erlconnect_backends.kubernetes_cluster.pod_at_address import pod_at
from erlconnect_backends.kubernetes_cluster.pods import Pod, pod_of
from erlconnect_backends.kubernetes_cluster.questions import POD, one
from erlconnect_backends.kubernetes_cluster.rest import Rest
from erlconnect_backends.kubernetes_cluster.targets_named import named

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from erlconnect.api import Target


class CookiePlaceSettings(AccessSettings):
    """The settings that say where to look."""

    pod: str = Field(
        default="", description="The pod; if empty the one that has the target's address."
    )
    container: str = Field(default="", description="The container, as for the backend kubernetes.")
    target: str = Field(
        default="", description="What TARGET was, for the Role in an error about missing rights."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CookiePlace:
    """One container of one pod; ``rest`` asks with the rights of the whole session in mind."""

    rest: Rest
    pod: Pod
    container: Mapping[str, Any]

    @property
    def words(self) -> str:
        """Name it for people."""
        return f"{self.container['name']} in the pod {self.pod.name}"


async def open_place(
    settings: CookiePlaceSettings, target: Target, *, names: Collection[str]
) -> CookiePlace:
    """Ask for the pod and choose its container; ``names`` are the variables to be looked for.

    Raises what the kubeconfig gives reason to, and as ``Rest``; ``NoNodeFoundError`` where no pod
    has the target's address, ``UsageError`` where there is no such container.
    """
    from erlconnect_backends.kubernetes_cluster.client import (  # noqa: PLC0415 - imports kubernetes
        cluster_access,
    )

    access = await cluster_access(settings)
    needed = needs.PORT_FORWARD | needs.finding(named(settings.target) if settings.target else None)
    pod = await _pod(Rest(access, needed=needed), settings.pod, target)
    container = beam_container(pod, settings.container)
    rest = Rest(access, needed=needed | needs.cookie_of(container, names))
    return CookiePlace(rest=rest, pod=pod, container=container)


async def _pod(rest: Rest, name: str, target: Target) -> Pod:
    namespace = rest.access.namespace
    if name:
        return pod_of(await rest.get(one(POD, name, namespace=namespace)))
    pod = await pod_at(rest, target.address)
    if pod is None:
        raise NoNodeFoundError(
            f"No pod in the namespace {namespace} runs at the address {target.address}",
            remedy="Name the pod with -o cookie.pod=, or its namespace with -o cookie.namespace=.",
        )
    return pod


def cookie_of(value: bytes, *, place: str, origin: str, literal: bool = False) -> Cookie | None:
    """Make a cookie of what was found; ``None`` where that is blank or names a file.

    Newlines at the end are left out, as of a file, unless the node takes the value literally.
    """
    # EMQX takes the address of a file for the cookie in it.
    if not value.strip() or value.startswith(b"file://"):
        return None
    stripped = value if literal else value.rstrip(b"\r\n")
    note = "" if stripped == value else f"a newline at the end of {origin} was left out"
    return Cookie(cookie_text(stripped, place=place), origin=origin, note=note)
