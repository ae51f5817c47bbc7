"""What can be asked of an API server, and the rights that this needs.

An ``ApiRequest`` has the path, the words for messages and the ``Right``; ``api_client`` sends it.
``role_yaml`` makes the smallest Role that has a set of rights.

https://kubernetes.io/docs/reference/using-api/api-concepts/
https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind of object: where it is in the API, and its name in messages."""

    word: str
    plural: str
    group: str = ""
    version: str = "v1"

    @property
    def root(self) -> str:
        """The beginning of its path."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


POD: Final = Resource(word="pod", plural="pods")
SERVICE: Final = Resource(word="service", plural="services")
SECRET: Final = Resource(word="Secret", plural="secrets")
CONFIG_MAP: Final = Resource(word="ConfigMap", plural="configmaps")
DEPLOYMENT: Final = Resource(word="Deployment", plural="deployments", group="apps")
REPLICA_SET: Final = Resource(word="ReplicaSet", plural="replicasets", group="apps")
STATEFUL_SET: Final = Resource(word="StatefulSet", plural="statefulsets", group="apps")
DAEMON_SET: Final = Resource(word="DaemonSet", plural="daemonsets", group="apps")
ROLLOUT: Final = Resource(
    word="Rollout", plural="rollouts", group="argoproj.io", version="v1alpha1"
)
JOB: Final = Resource(word="Job", plural="jobs", group="batch")
ENDPOINT_SLICE: Final = Resource(
    word="EndpointSlice", plural="endpointslices", group="discovery.k8s.io"
)
ACCESS_REVIEW: Final = Resource(
    word="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    group="authorization.k8s.io",
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Right:
    """One verb on one resource; ``group`` is empty for the core of the API.

    ``name`` narrows it to one object; empty, it is for all of the namespace.
    """

    group: str = ""
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        """Return it in the API server's words: ``get deployments.apps``."""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One request that changes nothing: for an object by ``name``, or for all that fit.

    With a ``body`` it is a review, which is answered at once and kept nowhere. An empty
    ``namespace`` is the whole cluster.
    """

    resource: Resource
    namespace: str
    name: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = None

    @property
    def target(self) -> str:
        """The path and query of the request."""
        place = ["namespaces", self.namespace] if self.namespace else []
        parts = [*place, self.resource.plural, *filter(None, [self.name])]
        path = "/".join([self.resource.root, *(quote(part, safe="") for part in parts)])
        return f"{path}?{urlencode(self.parameters)}" if self.parameters else path

    def narrowed(self, parameters: Mapping[str, str]) -> ApiRequest:
        """Return the same request with more parameters."""
        return replace(self, parameters={**self.parameters, **parameters})

    @property
    def right(self) -> Right:
        """The right that it needs; for one pod it is that for all, because pods are replaced."""
        # A Role with ``resourceNames`` would fit one pod only until its replacement.
        name = "" if self.resource is POD else self.name
        return Right(
            group=self.resource.group, resource=self.resource.plural, verb=self._verb(), name=name
        )

    def _verb(self) -> str:
        # A review is a POST, which is ``create`` for RBAC.
        if self.body is not None:
            return "create"
        if self.name:
            return "get"
        return "watch" if "watch" in self.parameters else "list"

    def __str__(self) -> str:
        """Return what is asked for, in words."""
        what = f"the {self.resource.word} {self.name}" if self.name else self.resource.plural
        selector = self.parameters.get("labelSelector", "")
        fitting = f" with {selector}" if selector else ""
        where = f" in the namespace {self.namespace}" if self.namespace else ""
        return f"{what}{fitting}{where}"


def one(resource: Resource, name: str, *, namespace: str) -> ApiRequest:
    """Return the request for one object."""
    return ApiRequest(resource=resource, namespace=namespace, name=name)


def all_of(resource: Resource, *, namespace: str, selector: str = "") -> ApiRequest:
    """Return the request for all objects that the label selector fits."""
    labels = {"labelSelector": selector} if selector else {}
    return ApiRequest(resource=resource, namespace=namespace, parameters=labels)


def review_of(right: Right, *, namespace: str) -> ApiRequest:
    """Return the request that asks whether the user has ``right``."""
    # RBAC writes ``pods/exec``; a review has both parts in fields of their own.
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "namespace": namespace,
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "name": right.name,
    }
    body = {
        "apiVersion": f"{ACCESS_REVIEW.group}/{ACCESS_REVIEW.version}",
        "kind": ACCESS_REVIEW.word,
        "spec": {"resourceAttributes": attributes},
    }
    return ApiRequest(resource=ACCESS_REVIEW, namespace="", body=body)


def changes_of(request: ApiRequest, *, since: str, seconds: int) -> ApiRequest:
    """Return the watch of a list from its version ``since`` on, for ``seconds``."""
    # From the list's version on, so that no change between list and watch is lost.
    watch = {"watch": "1", "resourceVersion": since, "timeoutSeconds": str(seconds)}
    return request.narrowed(watch)


def role_yaml(rights: Iterable[Right], *, namespace: str) -> str:
    """Return the Role with exactly ``rights``, for ``kubectl apply -f -``."""
    rules: dict[_Rule, list[str]] = {}
    # Resources with the same group, names and verbs share one rule.
    for (group, resource, name), verbs in sorted(_verbs(rights).items()):
        names = (name,) if name else ()
        rules.setdefault(_Rule(group=group, names=names, verbs=verbs), []).append(resource)
    lines = [
        "apiVersion: rbac.authorization.k8s.io/v1",
        "kind: Role",
        "metadata:",
        "  name: erlconnect",
        f"  namespace: {namespace}",
        "rules:",
    ]
    for rule, resources in rules.items():
        lines += [
            f"- apiGroups: {_listed([rule.group])}",
            f"  resources: {_listed(resources)}",
            *([f"  resourceNames: {_listed(rule.names)}"] if rule.names else []),
            f"  verbs: {_listed(rule.verbs)}",
        ]
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Rule:
    group: str
    names: tuple[str, ...]
    verbs: tuple[str, ...]


def _verbs(rights: Iterable[Right]) -> dict[tuple[str, str, str], tuple[str, ...]]:
    verbs: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for right in sorted(set(rights)):
        key = (right.group, right.resource, right.name)
        verbs[key] = (*verbs.get(key, ()), right.verb)
    return verbs


def _listed(texts: Iterable[str]) -> str:
    # A JSON list is YAML, too.
    return json.dumps(list(texts))
