"""Which rights the questions to an API server need, and the smallest Role that gives them.

Format: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Right:
    """One verb on one resource; ``group`` is empty for the core of the API."""

    group: str = ""
    resource: str
    verb: str

    def __str__(self) -> str:
        """Give it as the API server words it: ``get deployments.apps``."""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


def role_yaml(rights: Iterable[Right], *, namespace: str, name: str = "erlconnect") -> str:
    """Give the Role that holds exactly ``rights``, for ``kubectl apply -f -``."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in sorted(set(rights)):
        verbs.setdefault((right.group, right.resource), []).append(right.verb)
    rules: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), allowed in verbs.items():
        rules.setdefault((group, tuple(allowed)), []).append(resource)
    lines = [
        "apiVersion: rbac.authorization.k8s.io/v1",
        "kind: Role",
        "metadata:",
        f"  name: {name}",
        f"  namespace: {namespace}",
        "rules:",
    ]
    for (group, allowed), resources in rules.items():
        lines.append(f'- apiGroups: ["{group}"]')
        lines.append(f"  resources: [{', '.join(resources)}]")
        lines.append(f"  verbs: [{', '.join(allowed)}]")
    return "\n".join(lines)
