"""The kinds of objects that the API server double serves, and the discovery documents about them.

Knows their names only; what an object holds is the tests' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "delete", "update")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind; ``group`` is empty for the core group, ``subresources`` maps names to verbs."""

    name: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = (*_READ, *_WRITE)
    subresources: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def api_version(self) -> str:
        """What an object's ``apiVersion`` says: ``apps/v1``, for the core group ``v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """What error texts call it: ``deployments.apps``, for the core group ``pods``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_CONNECT: Final = ("create", "get")
_RBAC: Final = "rbac.authorization.k8s.io"
REVIEW: Final = Kind(
    name="SelfSubjectAccessReview",
    plural="selfsubjectaccessreviews",
    group="authorization.k8s.io",
    namespaced=False,
    verbs=("create",),
)
KINDS: Final = (
    Kind(
        name="Pod",
        plural="pods",
        short_names=("po",),
        subresources=(("exec", _CONNECT), ("portforward", _CONNECT)),
    ),
    Kind(name="Service", plural="services", short_names=("svc",)),
    Kind(name="Secret", plural="secrets"),
    Kind(name="ConfigMap", plural="configmaps", short_names=("cm",)),
    Kind(name="Namespace", plural="namespaces", short_names=("ns",), namespaced=False),
    Kind(name="Node", plural="nodes", short_names=("no",), namespaced=False),
    Kind(name="Deployment", plural="deployments", group="apps", short_names=("deploy",)),
    Kind(name="ReplicaSet", plural="replicasets", group="apps", short_names=("rs",)),
    Kind(name="StatefulSet", plural="statefulsets", group="apps", short_names=("sts",)),
    Kind(name="DaemonSet", plural="daemonsets", group="apps", short_names=("ds",)),
    Kind(name="Job", plural="jobs", group="batch"),
    Kind(name="Rollout", plural="rollouts", group="argoproj.io", version="v1alpha1"),
    Kind(name="EndpointSlice", plural="endpointslices", group="discovery.k8s.io"),
    Kind(name="Role", plural="roles", group=_RBAC),
    Kind(name="RoleBinding", plural="rolebindings", group=_RBAC),
    Kind(name="ClusterRole", plural="clusterroles", group=_RBAC, namespaced=False),
    Kind(name="ClusterRoleBinding", plural="clusterrolebindings", group=_RBAC, namespaced=False),
    REVIEW,
)


def kind_of(api_version: str, name: str) -> Kind:
    """The kind that an object's ``apiVersion`` and ``kind`` name. Raises LookupError."""
    for kind in KINDS:
        if (kind.api_version, kind.name) == (api_version, name):
            return kind
    raise LookupError(f"the double serves no {name} of {api_version}")


def kind_called(word: str) -> Kind:
    """The kind with this plural or name (``pods``, ``Pod``). Raises LookupError."""
    for kind in KINDS:
        if word in (kind.plural, kind.name):
            return kind
    raise LookupError(f"the double serves no {word}")


def discovery(path: str) -> dict[str, Any] | None:
    """The discovery document at ``path``, or None where there is none."""
    parts = path.strip("/").split("/")
    if parts == ["version"]:
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.1", "platform": "linux/amd64"}
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"]}
    if parts == ["apis"]:
        groups = sorted({(kind.group, kind.version) for kind in KINDS if kind.group})
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [_group(*group) for group in groups],
        }
    return _resources(parts)


def _group(group: str, name: str) -> dict[str, Any]:
    version = {"groupVersion": f"{group}/{name}", "version": name}
    return {"name": group, "versions": [version], "preferredVersion": version}


def _resources(parts: list[str]) -> dict[str, Any] | None:
    if parts == ["api", "v1"]:
        wanted = "v1"
    elif len(parts) == 3 and parts[0] == "apis":
        wanted = "/".join(parts[1:])
    else:
        return None
    kinds = [kind for kind in KINDS if kind.api_version == wanted]
    entries = [entry for kind in kinds for entry in _entries(kind)]
    return (
        {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": wanted,
            "resources": entries,
        }
        if kinds
        else None
    )


def _entries(kind: Kind) -> list[dict[str, Any]]:
    own = {
        "name": kind.plural,
        "singularName": kind.name.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.name,
        "verbs": list(kind.verbs),
        "shortNames": list(kind.short_names),
    }
    return [own] + [
        {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": f"{kind.name}{name.title()}Options",
            "verbs": list(verbs),
        }
        for name, verbs in kind.subresources
    ]
