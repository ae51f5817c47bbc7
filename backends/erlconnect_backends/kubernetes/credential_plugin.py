"""Credential plugins: programs that a kubeconfig names in ``exec``; the library runs them.

``cluster_access`` calls ``plugin_credentials`` within ``PluginDeadline.bounding``. The library
``kubernetes`` starts the program and waits for it without a limit. Here its module gets a ``Popen``
that waits until the deadline and then kills the program; the name is replaced in that module alone.

API: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
"""

from __future__ import annotations

import base64
import datetime as dt
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from kubernetes.config import ConfigException, exec_provider
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.kube_config import ConfigNode

from erlconnect.api import remember
from erlconnect_backends.kubernetes import errors as failures
from erlconnect_backends.kubernetes.kubeconfig import IssuedCredentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from erlconnect_backends.kubernetes.kubeconfig import Entry

_CLUSTER_INFO_KEYS: Final = (
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "proxy-url",
    "extensions",
)
_load_lock: Final = threading.Lock()
_KILL_SECONDS: Final = 1.0


def plugin_credentials(context: str, user: Entry, cluster: Entry) -> IssuedCredentials:
    """Run the plugin that ``user`` names and return its credentials. Blocks until it ends.

    Raises ``ConfigurationError`` where it cannot be run or returns nothing, and ``TimeoutError``.
    """
    plugin: Mapping[str, Any] = user.values["exec"]
    for key in ("command", "apiVersion"):
        if not plugin.get(key):
            raise failures.wrong_entry(f"{user.location}.exec", f"has no {key}")
    provider: Any = ExecProvider(
        ConfigNode("exec", dict(plugin)), None, ConfigNode("cluster", _shown(cluster))
    )
    try:
        return _issued(provider.run())
    except FileNotFoundError:
        raise failures.no_plugin(context, plugin) from None
    # ``TimeoutError`` is an ``OSError``, and the caller has words for it.
    except TimeoutError:
        raise
    except (ConfigException, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise failures.plugin_failed(context, plugin, [words]) from None


def _shown(cluster: Entry) -> dict[str, Any]:
    """Return the cluster for plugins with ``provideClusterInfo``."""
    shown = {key: cluster.values[key] for key in _CLUSTER_INFO_KEYS if key in cluster.values}
    authority = cluster.text("certificate-authority-data")
    if not authority and (path := cluster.text("certificate-authority")):
        authority = base64.b64encode(Path(path).read_bytes()).decode()
    return {**shown, "certificate-authority-data": authority} if authority else shown


def _issued(status: Any) -> IssuedCredentials:
    if not isinstance(status, dict):
        raise TypeError("its answer has no status")
    token = status.get("token") or ""
    certificate = status.get("clientCertificateData") or ""
    key = status.get("clientKeyData") or ""
    # Before the checks below, whose errors must not show it.
    remember(str(token))
    if bool(certificate) != bool(key):
        # The specification allows both or neither.
        raise ValueError("it gave a certificate without its key, or a key alone")
    if not (token or certificate):
        raise ValueError("it gave neither a token nor a certificate")
    expiry = status.get("expirationTimestamp")
    return IssuedCredentials(
        token=str(token),
        certificate=str(certificate),
        key=str(key),
        expiry=dt.datetime.fromisoformat(expiry).timestamp() if expiry else None,
    )


class PluginDeadline:
    """How long one load may take; ``end`` may be called from another thread."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._ended = False

    @property
    def left(self) -> float:
        """The seconds that are left; 0 after ``end``."""
        return 0.0 if self._ended else max(0.0, self._until - time.monotonic())

    def end(self) -> None:
        """Kill the program that runs; no other can be started after this."""
        with self._lock:
            # Under the lock, so that no program starts between this line and the next.
            self._ended = True
            if self._process:
                self._process.kill()

    @contextmanager
    def bounding(self) -> Iterator[None]:
        """Bound the programs that the library starts within the context; one load at a time.

        Raises ``TimeoutError`` where another load takes all the time that there is.
        """
        # The library's module is shared: two loads would replace each other's ``Popen``.
        if not _load_lock.acquire(timeout=self.left):
            raise TimeoutError
        try:
            module: Any = exec_provider
            module.subprocess = SimpleNamespace(PIPE=subprocess.PIPE, Popen=self._started)
            try:
                yield
            finally:
                module.subprocess = subprocess
        finally:
            _load_lock.release()

    def _started(self, arguments: Any, **options: Any) -> _BoundedProcess:
        with self._lock:
            # ``end`` may have come before the start: nothing would kill this one then.
            if not self.left:
                raise TimeoutError
            process = _BoundedProcess(arguments, **options)
            process.deadline = self
            self._process = process
        return process


class _BoundedProcess(subprocess.Popen[str]):
    deadline: PluginDeadline

    def communicate(self, *_: Any, **__: Any) -> tuple[str, str]:
        try:
            return super().communicate(timeout=self.deadline.left)
        except subprocess.TimeoutExpired:
            self.kill()
            self.wait(_KILL_SECONDS)
            # Its own children may keep the pipes open for longer.
            for pipe in (self.stdout, self.stderr):
                if pipe:
                    pipe.close()
            raise
