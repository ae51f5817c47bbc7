"""Writes kubeconfig files: contexts, users of every kind, the cluster's CA.

As JSON, which is YAML too. https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(slots=True, kw_only=True)
class Kubeconfig:
    """The file's content; the first context is the current one unless ``current`` names another."""

    current: str = ""
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    contexts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def context(
        self,
        name: str,
        *,
        server: str,
        authority: bytes,
        user: Mapping[str, Any],
        namespace: str = "",
        cluster: Mapping[str, Any] | None = None,
    ) -> Self:
        """Add a context with a cluster and a user of its own; ``user`` is one of those below.

        ``cluster`` are further settings of the cluster: ``proxy-url``, ``tls-server-name``.
        """
        encoded = base64.b64encode(authority).decode()
        self.clusters[name] = {
            "server": server,
            "certificate-authority-data": encoded,
            **(cluster or {}),
        }
        self.users[name] = dict(user)
        self.contexts[name] = {"cluster": name, "user": name}
        if namespace:
            self.contexts[name]["namespace"] = namespace
        self.current = self.current or name
        return self

    def write(self, path: Path) -> Path:
        """Write the file, for its owner alone."""
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self.current,
            "clusters": _named("cluster", self.clusters),
            "users": _named("user", self.users),
            "contexts": _named("context", self.contexts),
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content, indent=2))
        return path


def by_token(token: str) -> dict[str, Any]:
    """A user with a token in the file itself."""
    return {"token": token}


def by_token_file(path: Path) -> dict[str, Any]:
    """A user whose token is in another file, which may be renewed."""
    return {"tokenFile": str(path)}


def by_certificate(certificate: bytes, key: bytes) -> dict[str, Any]:
    """A user with a client certificate, in the file itself."""
    return {
        "client-certificate-data": base64.b64encode(certificate).decode(),
        "client-key-data": base64.b64encode(key).decode(),
    }


def by_exec(
    command: str, *words: str, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A user whose credentials a program prints, an ``ExecCredential`` of version v1."""
    variables = [{"name": name, "value": value} for name, value in (environment or {}).items()]
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": command,
            "args": list(words),
            "env": variables,
            "interactiveMode": "Never",
        }
    }


def _named(what: str, entries: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, what: entry} for name, entry in entries.items()]
