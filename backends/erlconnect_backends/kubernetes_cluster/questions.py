"""What can be asked of an API server: the path, the words for people, and the right it needs.

Reference: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from erlconnect_backends.kubernetes_cluster.rights import Right

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind of object: its place in the API, and how a person calls one of it."""

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
JOB: Final = Resource(word="Job", plural="jobs", group="batch")
ENDPOINT_SLICE: Final = Resource(
    word="EndpointSlice", plural="endpointslices", group="discovery.k8s.io"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request that reads: an object by ``name``, or the list of those that fit."""

    resource: Resource
    namespace: str
    name: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The path and query of the request."""
        parts = ["namespaces", self.namespace, self.resource.plural, *filter(None, [self.name])]
        path = "/".join([self.resource.root, *(quote(part, safe="") for part in parts)])
        return f"{path}?{urlencode(self.parameters)}" if self.parameters else path

    def narrowed(self, parameters: Mapping[str, str]) -> Question:
        """Ask the same with more parameters."""
        return replace(self, parameters={**self.parameters, **parameters})

    @property
    def right(self) -> Right:
        """The right that it needs; for one pod it is that for all, because pods are replaced."""
        verb = "get" if self.name else "watch" if "watch" in self.parameters else "list"
        name = "" if self.resource is POD else self.name
        return Right(group=self.resource.group, resource=self.resource.plural, verb=verb, name=name)

    def __str__(self) -> str:
        """Say what is asked for."""
        what = f"the {self.resource.word} {self.name}" if self.name else self.resource.plural
        selector = self.parameters.get("labelSelector", "")
        fitting = f" with {selector}" if selector else ""
        return f"{what}{fitting} in the namespace {self.namespace}"


def one(resource: Resource, name: str, *, namespace: str) -> Question:
    """Ask for one object."""
    return Question(resource=resource, namespace=namespace, name=name)


def all_of(resource: Resource, *, namespace: str, selector: str = "") -> Question:
    """Ask for all objects that fit the label selector."""
    labels = {"labelSelector": selector} if selector else {}
    return Question(resource=resource, namespace=namespace, parameters=labels)


def changes_of(question: Question, *, since: str, seconds: int) -> Question:
    """Ask for the changes to a list from its version ``since`` on, for so many seconds."""
    watch = {"watch": "1", "resourceVersion": since, "timeoutSeconds": str(seconds)}
    return question.narrowed(watch)
