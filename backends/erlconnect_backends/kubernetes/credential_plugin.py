"""Credential plugins: programs that a kubeconfig names in ``exec``; the library runs them.

Refuses to know what the credentials are for.
API: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/

Ends the program of a credential plugin that takes too long.

The library ``kubernetes`` starts it and waits without a bound. Here its module gets a ``Popen``
that waits until a deadline and then kills the program. The name is replaced in that module alone.
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

_TAKEN: Final = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url", "extensions")


def plugin_credentials(context: str, user: Entry, cluster: Entry) -> IssuedCredentials:
    """Run the plugin that ``user`` names and return what it gave. Blocks until it ends.

    Raises ``ConfigurationError`` where it cannot be run or gives nothing, and ``TimeoutError``.
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


def _issued(status: Any) -> IssuedCredentials:
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
    return IssuedCredentials(
        token=str(token),
        certificate=str(certificate),
        key=str(key),
        expiry=dt.datetime.fromisoformat(expiry).timestamp() if expiry else None,
    )


_LOADING: Final = threading.Lock()
_ENDED_SECONDS: Final = 1.0


class PluginDeadline:
    """How long one load may take; ``end`` may be called from another thread."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._ended = False

    @property
    def left(self) -> float:
        """The seconds that are left; none where nobody waits any more."""
        return 0.0 if self._ended else max(0.0, self._until - time.monotonic())

    def end(self) -> None:
        """Kill the program that runs, and let none be started any more."""
        with self._lock:
            self._ended = True
            if self._process:
                self._process.kill()

    @contextmanager
    def bounding(self) -> Iterator[None]:
        """Have the programs that the library starts meanwhile end in time; one load at a time.

        Raises ``TimeoutError`` where another load takes all the time that there is.
        """
        if not _LOADING.acquire(timeout=self.left):
            raise TimeoutError
        try:
            module: Any = exec_provider
            module.subprocess = SimpleNamespace(PIPE=subprocess.PIPE, Popen=self._started)
            try:
                yield
            finally:
                module.subprocess = subprocess
        finally:
            _LOADING.release()

    def _started(self, arguments: Any, **options: Any) -> _BoundedProcess:
        with self._lock:
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
            self.wait(_ENDED_SECONDS)
            # What it started may hold the pipes open for as long as it likes.
            for pipe in (self.stdout, self.stderr):
                if pipe:
                    pipe.close()
            raise
