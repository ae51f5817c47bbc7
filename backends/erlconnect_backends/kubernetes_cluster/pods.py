"""A pod as an API server describes it: is it usable, and whose is it.

Refuses to ask for anything. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod; ``item`` is the whole object, ``owners`` are the uids of what owns it."""

    name: str
    namespace: str
    address: str
    machine: str
    phase: str
    ready: bool
    terminating: bool
    owners: tuple[str, ...]
    item: Mapping[str, Any]

    @property
    def running(self) -> bool:
        """Whether there is a network to dial into."""
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
        return next(self._troubles(), "not ready" if self.running else self.phase.lower())

    def _troubles(self) -> Iterator[str]:
        for status in (self.item.get("status") or {}).get("containerStatuses") or ():
            for state in (status.get("state") or {}).values():
                if reason := (state or {}).get("reason"):
                    yield str(reason)


def pod_of(item: Mapping[str, Any]) -> Pod:
    """Read one object."""
    meta, status = item["metadata"], item.get("status") or {}
    states = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    return Pod(
        name=str(meta["name"]),
        namespace=str(meta["namespace"]),
        address=str(status.get("podIP") or ""),
        machine=str(item["spec"].get("nodeName") or ""),
        phase=str(status.get("phase") or "Unknown"),
        ready=states.get("Ready") == "True",
        terminating=bool(meta.get("deletionTimestamp")),
        owners=tuple(str(one["uid"]) for one in meta.get("ownerReferences") or ()),
        item=item,
    )
