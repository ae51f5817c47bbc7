"""The pods of what TARGET names: those that kubectl would take.

``Workloads`` finds them as a ``Group``: of a Deployment the pods of its current ReplicaSet, of a
Rollout those of its current revision, of a Service those that it selects or that its EndpointSlices
name. ``usable_pods`` chooses among them: running, ready pods that are not about to end. ``backend``
makes targets of these, ``port_forward`` takes one of a Service.

https://kubernetes.io/docs/concepts/workloads/controllers/
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import ErlconnectError, NameNotFoundError, NoNodeFoundError, RefusedError
from erlconnect_backends.kubernetes.api_client import gather_two
from erlconnect_backends.kubernetes.pods import Pod, pod_of
from erlconnect_backends.kubernetes.requests import (
    DAEMON_SET,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    STATEFUL_SET,
    ApiRequest,
    all_of,
    one,
)
from erlconnect_backends.kubernetes.target_syntax import GUESSES, SHORT, TargetSyntax

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect_backends.kubernetes.api_client import ApiClient
    from erlconnect_backends.kubernetes.requests import Resource

# https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
_REVISION: Final = "deployment.kubernetes.io/revision"
# https://argo-rollouts.readthedocs.io/en/stable/features/specification/
_ROLLOUT_HASH: Final = "rollouts-pod-template-hash"
_EXISTENCE_FORMATS: Final = {"Exists": "{key}", "DoesNotExist": "!{key}"}
_SET_OPERATORS: Final = {"In": "in", "NotIn": "notin"}
# The kinds that long-lived nodes usually run in.
_COMPLETED: Final = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)
_SERVICE_LABEL: Final = "kubernetes.io/service-name"
_MAX_LISTED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Pods that belong together; a watch of ``changes`` reports when they change."""

    what: str
    pods: Sequence[Pod]
    changes: ApiRequest
    revision: str = ""


class Workloads:
    """Finds groups of pods in one namespace. Raises as ``ApiClient``, and ``NameNotFoundError``."""

    def __init__(self, rest: ApiClient, namespace: str) -> None:
        self._rest = rest
        self._namespace = namespace

    async def pod(self, name: str) -> Group:
        """Return the pod of this name alone."""
        request = one(POD, name, namespace=self._namespace)
        return self._single(await self._rest.get(request))

    async def selected(self, selector: str) -> Group:
        """Return the pods that a label selector fits."""
        request = all_of(POD, namespace=self._namespace, selector=selector)
        return Group(what=f"pods with {selector}", pods=await self._pods(request), changes=request)

    async def named(self, named: TargetSyntax) -> Group:
        """Return the pods of what TARGET names."""
        if not named.resource:
            return await self._guessed(named.name)
        item = await self._rest.find(one(named.resource, named.name, namespace=self._namespace))
        if item is None:
            raise await self._unknown(named.name, [named.resource])
        return await self._group(named.resource, item)

    async def completions(self) -> list[str]:
        """Return what TARGET may be: objects of the usual kinds, as far as they may be listed."""
        found: list[str] = []
        for resource in _COMPLETED:
            with contextlib.suppress(RefusedError):
                found += [f"{SHORT[resource]}/{name}" for name in await self._names(resource)]
        return found

    async def _names(self, resource: Resource) -> list[str]:
        items = await self._rest.items(all_of(resource, namespace=self._namespace))
        return sorted(str(item["metadata"]["name"]) for item in items)

    async def _guessed(self, name: str) -> Group:
        requests = [one(each, name, namespace=self._namespace) for each in GUESSES]
        # All kinds are asked at once; the order of GUESSES decides, not that of the answers.
        found = await asyncio.gather(
            *(self._rest.find(request) for request in requests), return_exceptions=True
        )
        for resource, item in zip(GUESSES, found, strict=True):
            if isinstance(item, dict):
                return await self._group(resource, item)
        # An error counts only where no guess exists: some kinds may be forbidden to the user.
        for failure in found:
            if isinstance(failure, BaseException):
                raise failure
        raise await self._unknown(name, GUESSES)

    async def _unknown(self, name: str, resources: Sequence[Resource]) -> ErlconnectError:
        known: set[str] = set()
        for resource in resources:
            try:
                known |= set(await self._names(resource))
            except RefusedError:
                continue
        # Names that may not be listed are simply not suggested.
        near = difflib.get_close_matches(name, known, n=1)
        kinds = ", ".join(resource.word for resource in resources)
        return NameNotFoundError(
            f"Nothing in the namespace {self._namespace} (context {self._rest.access.context}) is"
            f" called {name!r}: no {kinds}",
            remedy=f"Did you mean {near[0]}?"
            if near
            else "Check the name, -o namespace= and -o context=.",
        )

    async def _group(self, resource: Resource, item: Mapping[str, Any]) -> Group:
        if resource is POD:
            return self._single(item)
        what = f"{resource.word} {item['metadata']['name']}"
        if resource is SERVICE:
            return await self._of_service(what, item)
        selector = selector_text(item["spec"].get("selector") or {})
        request = all_of(POD, namespace=self._namespace, selector=selector)
        if resource is DEPLOYMENT:
            return await self._of_deployment(what, item, selector)
        if resource is ROLLOUT:
            pods = [pod for pod in await self._pods(request) if is_current_of_rollout(pod, item)]
            return Group(what=what, pods=pods, changes=request)
        # Another controller's pods may have the same labels: only the owner decides.
        owner = str(item["metadata"]["uid"])
        pods = [pod for pod in await self._pods(request) if owner in pod.owners]
        return Group(what=what, pods=pods, changes=request)

    async def _of_deployment(self, what: str, item: Mapping[str, Any], selector: str) -> Group:
        request = all_of(POD, namespace=self._namespace, selector=selector)
        sets, pods = await gather_two(
            self._rest.items(all_of(REPLICA_SET, namespace=self._namespace, selector=selector)),
            self._pods(request),
        )
        current = current_replica_set(item, sets)
        if current is None:
            raise NoNodeFoundError(
                f"The {what} has no ReplicaSet yet, so it has no pods",
                remedy=f"See `kubectl describe deploy {item['metadata']['name']}`.",
            )
        uid = str(current["metadata"]["uid"])
        revision = revision_of(current)
        return Group(
            what=f"{what}, revision {revision}" if revision else what,
            pods=[pod for pod in pods if uid in pod.owners],
            changes=request,
            revision=str(revision or ""),
        )

    async def _of_service(self, what: str, item: Mapping[str, Any]) -> Group:
        if selector := labels_text(item["spec"].get("selector") or {}):
            request = all_of(POD, namespace=self._namespace, selector=selector)
            return Group(what=what, pods=await self._pods(request), changes=request)
        # A Service without a selector: somebody else writes its EndpointSlices.
        label = f"{_SERVICE_LABEL}={item['metadata']['name']}"
        request = all_of(ENDPOINT_SLICE, namespace=self._namespace, selector=label)
        names = _pods_behind(await self._rest.items(request))
        if not names:
            raise NoNodeFoundError(
                f"The {what} leads to no pod: neither a selector nor an EndpointSlice names one",
                remedy="If it leads out of the cluster, -b fixed or -b dns is the way.",
            )
        # A slice may still name a pod that is gone.
        found = [await self._rest.find(one(POD, name, namespace=self._namespace)) for name in names]
        return Group(what=what, pods=[pod_of(each) for each in found if each], changes=request)

    def _single(self, item: Mapping[str, Any]) -> Group:
        pod = pod_of(item)
        # The API watches lists: one pod is a list that a field selector narrows.
        changes = all_of(POD, namespace=pod.namespace).narrowed(
            {"fieldSelector": f"metadata.name={pod.name}"}
        )
        return Group(what=f"pod {pod.name}", pods=[pod], changes=changes)

    async def _pods(self, request: ApiRequest) -> list[Pod]:
        pods = [pod_of(item) for item in await self._rest.items(request)]
        return sorted(pods, key=lambda pod: pod.name)


def usable_pods(group: Group, *, allow_unready: bool, chosen: str = "") -> Sequence[Pod]:
    """Return the usable pods, ready ones first, else by name.

    The pod called ``chosen`` is usable as long as it runs.
    """
    usable = [
        pod
        for pod in group.pods
        if pod.running
        # A pod that the user named is taken even if it is terminating or not ready.
        and (pod.name == chosen or (not pod.terminating and (pod.ready or allow_unready)))
    ]
    return sorted(usable, key=lambda pod: (not pod.ready, pod.name))


def nothing_usable(group: Group) -> NoNodeFoundError:
    """Return the error that explains why no pod of the group may be dialled, and what to do."""
    return NoNodeFoundError(_failure(group), remedy=_remedy(group))


def _failure(group: Group) -> str:
    if not group.pods:
        return f"The {group.what} has no pods"
    states = [f"{pod.name} ({pod.state})" for pod in group.pods]
    more = len(states) - _MAX_LISTED
    listed = ", ".join([*states[:_MAX_LISTED], *([f"and {more} more"] if more > 0 else [])])
    return f"The {group.what} has no pod that is ready: {listed}"


def _remedy(group: Group) -> str:
    if not group.pods:
        return "Scale it up, or check -o namespace= and -o selector=."
    running = [pod for pod in group.pods if pod.running]
    if any(not pod.terminating for pod in running):
        return "Wait until one is ready, or take one that is not with -o allow-unready=true."
    if running:
        return "Wait for its replacement, or take it while it lasts with -o pod=."
    return f"See `kubectl describe pod {group.pods[0].name}`."


def _pods_behind(slices: Sequence[Mapping[str, Any]]) -> list[str]:
    references = [
        endpoint.get("targetRef") or {} for one in slices for endpoint in one.get("endpoints") or ()
    ]
    # A set, because one pod may stand in several slices, as in one for each family.
    return sorted({str(each["name"]) for each in references if each.get("kind") == "Pod"})


def current_replica_set(
    deployment: Mapping[str, Any], sets: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Return the ReplicaSet of the Deployment's current revision; ``None`` where it has none."""
    uid = deployment["metadata"]["uid"]
    owned = [
        one
        for one in sets
        if any(owner["uid"] == uid for owner in one["metadata"].get("ownerReferences") or ())
    ]
    wanted = revision_of(deployment)
    # Until its controller has numbered a change, the latest ReplicaSet is the current one.
    exact = [one for one in owned if wanted and revision_of(one) == wanted]
    # After a rollback the current ReplicaSet is an older one with a new number.
    return max(exact or owned, key=revision_of, default=None)


def revision_of(item: Mapping[str, Any]) -> int:
    """Return the number of an object's revision; 0 where it has none."""
    text = str((item["metadata"].get("annotations") or {}).get(_REVISION, ""))
    return int(text) if text.isdigit() else 0


def is_current_of_rollout(pod: Pod, rollout: Mapping[str, Any]) -> bool:
    """Return whether a pod is of the Rollout's current revision; any is while that is unknown."""
    # During a rollout the pods of the new revision have another hash.
    wanted = (rollout.get("status") or {}).get("currentPodHash")
    labels = pod.item["metadata"].get("labels") or {}
    return not wanted or labels.get(_ROLLOUT_HASH) == wanted


def selector_text(selector: Mapping[str, Any]) -> str:
    """Return ``matchLabels`` and ``matchExpressions`` as one text, in a stable order.

    Raises ``ValueError`` for an unknown operator.
    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
    """
    labels = selector.get("matchLabels") or {}
    terms = [f"{key}={value}" for key, value in sorted(labels.items())]
    return ",".join([*terms, *map(_term, selector.get("matchExpressions") or ())])


def labels_text(labels: Mapping[str, str]) -> str:
    """Return the selector of a Service, which has labels alone."""
    return selector_text({"matchLabels": labels})


def _term(expression: Mapping[str, Any]) -> str:
    key, operator = expression["key"], expression["operator"]
    if operator in _EXISTENCE_FORMATS:
        return _EXISTENCE_FORMATS[operator].format(key=key)
    if operator in _SET_OPERATORS:
        return f"{key} {_SET_OPERATORS[operator]} ({','.join(sorted(expression['values']))})"
    raise ValueError(f"unknown operator {operator!r} in a label selector")
