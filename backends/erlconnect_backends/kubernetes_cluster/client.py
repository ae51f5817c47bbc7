"""One context of the kubeconfig, or a pod's own service account, from which access is made.

Finds which of both counts and collects credentials from wherever the kubeconfig says. The library
reads the service account and, in ``credential_plugin``, runs plugins: nothing that it does here
uses the network. Refuses to read YAML (``kubeconfig``) and to connect (``connection``).
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kubernetes.client import Configuration
from kubernetes.config import ConfigException
from kubernetes.config import incluster_config as in_cluster

from erlconnect_backends.kubernetes_cluster import access_failures as failures
from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess, Loaded
from erlconnect_backends.kubernetes_cluster.credential_plugin import plugin_credentials
from erlconnect_backends.kubernetes_cluster.credentials_named import (
    Issued,
    check_user,
    content_file,
    own_authorization,
    provider_config,
    written,
)
from erlconnect_backends.kubernetes_cluster.kubeconfig import (
    Entry,
    MergedKubeconfig,
    merged_kubeconfig,
)
from erlconnect_backends.kubernetes_cluster.loading import Found, loaded_of
from erlconnect_backends.kubernetes_cluster.oidc import OidcLogin
from erlconnect_backends.kubernetes_cluster.plugin_process import PluginDeadline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect_backends.kubernetes_cluster.access import AccessSettings

PLUGIN_SECONDS: Final = 25.0
"""How long a credential plugin may take; a person may have to answer it."""

IN_CLUSTER: Final = "in-cluster"
"""What stands for a context where there is no kubeconfig."""

_DEFAULT_PATH: Final = "~/.kube/config"
# Files may change at any time; only a plugin says how long its answer holds.
_FILE_SECONDS: Final = 60.0


async def cluster_access(settings: AccessSettings) -> ClusterAccess:
    """Give the API server that ``settings`` mean, by a kubeconfig or this pod's service account.

    Raises ``ConfigurationError`` where there is none or it cannot be used, ``LookupTimeoutError``
    where a credential plugin does not answer; its program is ended, when cancelled, too.
    """
    source = await asyncio.to_thread(_source, settings, os.environ)

    async def load() -> Loaded:
        deadline = PluginDeadline(PLUGIN_SECONDS)
        try:
            async with asyncio.timeout(PLUGIN_SECONDS):
                return await asyncio.to_thread(_load, source, deadline)
        except TimeoutError as error:
            raise failures.slow_plugin(source.context, PLUGIN_SECONDS) from error
        finally:
            # The thread cannot be cancelled: it ends because its program does.
            deadline.end()

    return ClusterAccess(
        context=source.context,
        namespace=settings.namespace or source.namespace,
        loaded=await load(),
        load=load,
    )


def _source(
    settings: AccessSettings, environment: Mapping[str, str]
) -> _Kubeconfig | _ServiceAccount:
    named = _named(settings, environment)
    paths = named or _DEFAULT_PATH
    if _are_there(paths):
        return _Kubeconfig(paths, settings.context)
    if environment.get(in_cluster.SERVICE_HOST_ENV_NAME) and not (named or settings.context):
        return _ServiceAccount()
    raise failures.no_kubeconfig(paths)


def contexts(settings: AccessSettings, environment: Mapping[str, str]) -> dict[str, str]:
    """Give the kubeconfig's contexts with their namespaces. Raises ``ConfigurationError``."""
    paths = _named(settings, environment) or _DEFAULT_PATH
    if not _are_there(paths):
        return {}
    found = merged_kubeconfig(paths).entries["context"]
    return {name: context.text("namespace") for name, context in found.items()}


def _named(settings: AccessSettings, environment: Mapping[str, str]) -> str:
    return str(settings.kubeconfig or "") or environment.get("KUBECONFIG", "")


def _are_there(paths: str) -> bool:
    return any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep))


def _load(source: _Kubeconfig | _ServiceAccount, deadline: PluginDeadline) -> Loaded:
    # The library writes keys into files; they are gone as soon as TLS has read them. It would give
    # them to another thread, too, which asks at the same time.
    with deadline.bounding(), tempfile.TemporaryDirectory(prefix="erlconnect-") as folder:
        try:
            return loaded_of(source.find(folder), source.context)
        except TimeoutError:
            raise
        except (ConfigException, OSError, ValueError, TypeError) as error:
            raise failures.unusable(source.context, error) from None


class _ServiceAccount:
    """What Kubernetes gives to the pod that this runs in."""

    context: Final = IN_CLUSTER

    def __init__(self) -> None:
        file = Path(in_cluster.SERVICE_TOKEN_FILENAME).with_name("namespace")
        self.namespace = file.read_text().strip() if file.is_file() else "default"

    def find(self, folder: str) -> Found:
        """Read the token and the certificate that are mounted now."""
        del folder  # nothing is written
        loader: Any = in_cluster.InClusterConfigLoader(
            in_cluster.SERVICE_TOKEN_FILENAME, in_cluster.SERVICE_CERT_FILENAME
        )
        loader.load_and_set(Configuration())
        return Found(
            host=loader.host,
            authority_file=loader.ssl_ca_cert,
            token=loader.token,
            seconds=_FILE_SECONDS,
        )


class _Kubeconfig:
    """One context of one or several kubeconfig files, which are read whenever it is loaded."""

    def __init__(self, paths: str, context: str) -> None:
        self._paths = paths
        merged = merged_kubeconfig(paths)
        self.context = context or merged.current_context
        self.namespace = self._context(merged).text("namespace") or "default"

    def find(self, folder: str) -> Found:
        """Read all that the context says; keys and certificates in it go into ``folder``."""
        merged = merged_kubeconfig(self._paths)
        context = self._context(merged)
        cluster = self._named(merged, context, "cluster")
        user = self._named(merged, context, "user")
        check_user(self.context, user)
        authorization = own_authorization(user)
        issued = Issued() if authorization else self._issued(user, cluster, folder)
        certificate = content_file(user, "client-certificate", folder)
        key = content_file(user, "client-key", folder)
        if bool(certificate) != bool(key):
            raise failures.wrong_entry(user.place, "has a client-certificate or client-key alone")
        if issued.certificate:
            certificate = written(issued.certificate.encode(), folder, "issued-certificate")
            key = written(issued.key.encode(), folder, "issued-key")
        return Found(
            host=cluster.text("server"),
            verified=not cluster.values.get("insecure-skip-tls-verify"),
            authority_file=content_file(cluster, "certificate-authority", folder),
            certificate_file=certificate,
            key_file=key,
            tls_server_name=cluster.text("tls-server-name"),
            proxy=cluster.text("proxy-url"),
            token=authorization or (f"Bearer {issued.token}" if issued.token else ""),
            user=user.values,
            expiry=issued.expiry,
            seconds=None if "exec" in user.values and not authorization else _FILE_SECONDS,
        )

    def _issued(self, user: Entry, cluster: Entry, folder: str) -> Issued:
        if "exec" in user.values:
            return plugin_credentials(self.context, user, cluster)
        if "auth-provider" in user.values:
            place = f"{user.place}.auth-provider.config"
            return OidcLogin(self.context, place, provider_config(user)).issued(folder)
        return Issued()

    def _context(self, merged: MergedKubeconfig) -> Entry:
        contexts = merged.entries["context"]
        if self.context not in contexts:
            raise failures.no_context(self.context, sorted(contexts), self._paths)
        return contexts[self.context]

    def _named(self, merged: MergedKubeconfig, context: Entry, kind: str) -> Entry:
        """Return the cluster or user that the context names; only a user may be left out."""
        name = context.text(kind)
        if not name and kind == "user":
            return Entry(place=context.place, values={})
        if not name or name not in merged.entries[kind]:
            raise failures.no_entry(context.place, kind, name, sorted(merged.entries[kind]))
        return merged.entries[kind][name]
