"""What a user may do: Roles, ClusterRoles and their bindings, as the API server reads them.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from world.kubernetes.kinds import kind_called
from world.kubernetes.statuses import RefusedError
from world.kubernetes.users import ADMINISTRATORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from world.kubernetes.calls import Access
    from world.kubernetes.objects import Objects
    from world.kubernetes.users import User

    Rule = Mapping[str, Any]


def allows(objects: Objects, user: User, access: Access) -> bool:
    """Whether a rule of the objects that are there now allows the access."""
    if ADMINISTRATORS in user.groups:
        return True
    return any(_covers(rule, access) for rule in _rules(objects, user, access.namespace))


def bind(objects: Objects, role: Mapping[str, Any], user: str) -> None:
    """Put a Role or ClusterRole into the cluster, and bind it to the user of this name."""
    put = objects.put(role)
    meta = put["metadata"]
    objects.put(
        {
            "apiVersion": put["apiVersion"],
            "kind": f"{put['kind']}Binding",
            "metadata": {key: meta[key] for key in ("name", "namespace") if key in meta},
            "subjects": [{"kind": "User", "name": user}],
            "roleRef": {"kind": put["kind"], "name": meta["name"]},
        }
    )


def _rules(objects: Objects, user: User, namespace: str) -> Iterator[Rule]:
    bindings, _ = objects.every("clusterrolebindings")
    if namespace:
        bindings += objects.every("rolebindings", namespace)[0]
    for binding in bindings:
        if any(_is_subject(subject, user) for subject in binding.get("subjects") or ()):
            yield from _rules_of(objects, binding)


def _rules_of(objects: Objects, binding: Mapping[str, Any]) -> list[Rule]:
    """The rules of the role that a binding names; none if the role is not there."""
    reference = binding["roleRef"]
    kind = kind_called(reference["kind"])
    namespace = binding["metadata"]["namespace"] if kind.namespaced else ""
    try:
        return list(objects.get(kind.plural, namespace, reference["name"]).get("rules") or ())
    except RefusedError:
        return []


def _is_subject(subject: Mapping[str, Any], user: User) -> bool:
    name = subject["name"]
    if subject["kind"] == "Group":
        return name in user.groups
    if subject["kind"] == "ServiceAccount":
        return user.name == f"system:serviceaccount:{subject['namespace']}:{name}"
    return bool(user.name == name)


def _covers(rule: Rule, access: Access) -> bool:
    names = rule.get("resourceNames") or ()
    return (
        bool({access.verb, "*"} & set(rule.get("verbs") or ()))
        and bool({access.group, "*"} & set(rule.get("apiGroups") or ()))
        and bool(_resource_words(access) & set(rule.get("resources") or ()))
        and (not names or access.name in names)
    )


def _resource_words(access: Access) -> set[str]:
    """The words in a rule that mean this resource."""
    if access.subresource:
        return {"*", f"{access.resource}/{access.subresource}", f"*/{access.subresource}"}
    return {"*", access.resource}
