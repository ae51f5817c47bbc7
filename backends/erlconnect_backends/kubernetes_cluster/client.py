"""Reads kubeconfig files and a pod's own service account, by the library ``kubernetes``.

The library merges files and runs credential plugins. Its REST client is not taken: it blocks, and
its generated models take two seconds to import. Refuses to connect; ``connection`` does.
Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException
from kubernetes.config import incluster_config as in_cluster
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

from erlconnect_backends.kubernetes_cluster import access_failures as failures
from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess, Loaded
from erlconnect_backends.kubernetes_cluster.library_log import said_by_library
from erlconnect_backends.kubernetes_cluster.loading import Found, found_by, loaded_of
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
    found = _entries(_merged(paths), "context")
    return {name: str(context.get("namespace") or "") for name, context in found.items()}


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
        merged = _merged(paths)
        self.context = context or _current(merged)
        self.namespace = str(self._context(merged).get("namespace") or "default")

    def find(self, folder: str) -> Found:
        """Read all that the context says; what the library has to write goes into ``folder``."""
        merged = _merged(self._paths)
        user = _entries(merged, "user").get(str(self._context(merged).get("user")), {})
        loader: Any = KubeConfigLoader(
            merged.config,
            active_context=self.context,
            config_base_path=None,
            temp_file_path=folder,
        )
        with said_by_library() as said:
            loader.load_and_set(Configuration())
        found = found_by(loader, user, seconds=None if "exec" in user else _FILE_SECONDS)
        if "exec" in user and not (found.token or found.certificate_file):
            raise failures.plugin_failed(self.context, user["exec"], said)
        return found

    def _context(self, merged: Any) -> Mapping[str, Any]:
        contexts = _entries(merged, "context")
        if self.context not in contexts:
            raise failures.no_context(self.context, sorted(contexts), self._paths)
        return contexts[self.context]


def _merged(paths: str) -> Any:
    try:
        merged: Any = KubeConfigMerger(paths)
        for kind in ("context", "cluster", "user"):
            _entries(merged, kind)
    except (ConfigException, OSError, ValueError, yaml.YAMLError) as error:
        raise failures.unreadable(paths, error) from None
    except (TypeError, AttributeError, LookupError):
        raise failures.unreadable(paths, ValueError()) from None
    return merged


def _current(merged: Any) -> str:
    # The first file that names one, as with kubectl; the library takes the last.
    named = (content.get("current-context") for content in merged.config_files.values())
    return next(filter(None, named), "")


def _entries(merged: Any, kind: str) -> dict[str, Mapping[str, Any]]:
    """Give the entries of all files by name; beside it, the rest is called like ``kind``."""
    nodes = merged.config.value[f"{kind}s"]
    return {str(node.value["name"]): node.value.get(kind) or {} for node in nodes}
