"""Credential plugins: programs that a kubeconfig names in ``exec``; the library runs them.

Refuses to know what the credentials are for.
API: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
"""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kubernetes.config import ConfigException
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.kube_config import ConfigNode

from erlconnect.api import remember
from erlconnect_backends.kubernetes_cluster import access_failures as failures
from erlconnect_backends.kubernetes_cluster.credentials_named import Issued

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect_backends.kubernetes_cluster.kubeconfig import Entry

_TAKEN: Final = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url", "extensions")


def plugin_credentials(context: str, user: Entry, cluster: Entry) -> Issued:
    """Run the plugin that ``user`` names and return what it gave. Blocks until it ends.

    Raises ``ConfigurationError`` where it cannot be run or gives nothing, and ``TimeoutError``.
    """
    plugin: Mapping[str, Any] = user.values["exec"]
    for key in ("command", "apiVersion"):
        if not plugin.get(key):
            raise failures.wrong_entry(f"{user.place}.exec", f"has no {key}")
    provider: Any = ExecProvider(
        ConfigNode("exec", dict(plugin)), None, ConfigNode("cluster", _shown(cluster))
    )
    try:
        return _issued(provider.run())
    except FileNotFoundError:
        raise failures.no_plugin(context, plugin) from None
    except TimeoutError:
        raise
    except (ConfigException, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise failures.plugin_failed(context, plugin, [words]) from None


def _shown(cluster: Entry) -> dict[str, Any]:
    """Return what a plugin with ``provideClusterInfo`` is told of the cluster."""
    shown = {key: cluster.values[key] for key in _TAKEN if key in cluster.values}
    authority = cluster.text("certificate-authority-data")
    if not authority and (path := cluster.text("certificate-authority")):
        authority = base64.b64encode(Path(path).read_bytes()).decode()
    return {**shown, "certificate-authority-data": authority} if authority else shown


def _issued(status: Any) -> Issued:
    if not isinstance(status, dict):
        raise TypeError("its answer has no status")
    token = status.get("token") or ""
    certificate = status.get("clientCertificateData") or ""
    key = status.get("clientKeyData") or ""
    remember(str(token))
    if bool(certificate) != bool(key):
        raise ValueError("it gave a certificate without its key, or a key alone")
    if not (token or certificate):
        raise ValueError("it gave neither a token nor a certificate")
    expiry = status.get("expirationTimestamp")
    return Issued(
        token=str(token),
        certificate=str(certificate),
        key=str(key),
        expiry=dt.datetime.fromisoformat(expiry).timestamp() if expiry else None,
    )
