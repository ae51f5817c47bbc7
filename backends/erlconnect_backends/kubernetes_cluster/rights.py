"""Which rights the questions to an API server need, and the smallest Role that gives them.

Format: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


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
        """Give it as the API server words it: ``get deployments.apps``."""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Rule:
    group: str
    names: tuple[str, ...]
    verbs: tuple[str, ...]


def role_yaml(rights: Iterable[Right], *, namespace: str) -> str:
    """Give the Role that holds exactly ``rights``, for ``kubectl apply -f -``."""
    rules: dict[_Rule, list[str]] = {}
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


def _verbs(rights: Iterable[Right]) -> dict[tuple[str, str, str], tuple[str, ...]]:
    verbs: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for right in sorted(set(rights)):
        key = (right.group, right.resource, right.name)
        verbs[key] = (*verbs.get(key, ()), right.verb)
    return verbs


def _listed(texts: Iterable[str]) -> str:
    return json.dumps(list(texts))
