"""The API server that a kubeconfig's context, or a pod's own service account, leads to.

``cluster_access`` decides which of the two counts, and loads it: ``kubeconfig`` reads the files,
``credential_plugin`` and ``oidc`` fetch credentials that are not in them. The result is a
``ClusterAccess``, which has the address and loads everything again when credentials expire. Every
other module of this package asks through it.

The library ``kubernetes`` reads the service account and runs plugins. It never uses the network
here. Nothing here turns the check of certificates off.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, quote, urlsplit

from kubernetes.client import Configuration
from kubernetes.config import ConfigException
from kubernetes.config import incluster_config as in_cluster

from erlconnect.api import client_context, load_own_certificate, remember
from erlconnect_backends.kubernetes import errors as failures
from erlconnect_backends.kubernetes.connection import Credentials, Endpoint, proxy_for
from erlconnect_backends.kubernetes.credential_plugin import PluginDeadline, plugin_credentials
from erlconnect_backends.kubernetes.kubeconfig import (
    Entry,
    IssuedCredentials,
    MergedKubeconfig,
    check_user,
    content_file,
    merged_kubeconfig,
    own_authorization,
    provider_config,
    written,
)
from erlconnect_backends.kubernetes.oidc import OidcLogin

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from erlconnect_backends.kubernetes.plugin import AccessSettings

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
# A credential is not used in its last seconds: the server's clock may be ahead.
_EARLIER_SECONDS: Final = 10.0
# RFC 9110, 5.6.2, without "%", which begins an escape.
_HEADER_NAME_CHARACTERS: Final = "!#$&'*+-.^_`|~"
_CONTROL_CHARACTERS: Final = (*range(32), 127)
PLUGIN_SECONDS: Final = 25.0
"""How long a credential plugin may take; a person may have to answer it."""

IN_CLUSTER: Final = "in-cluster"
"""The name of the context where there is no kubeconfig."""

_DEFAULT_PATH: Final = "~/.kube/config"
# Files may change at any time: a service account's token is replaced before it expires. Only a
# plugin says how long its answer holds.
_FILE_SECONDS: Final = 60.0


async def cluster_access(settings: AccessSettings) -> ClusterAccess:
    """Return the API server that ``settings`` mean, by a kubeconfig or this pod's service account.

    Raises ``ConfigurationError`` where there is none or it cannot be used, and
    ``LookupTimeoutError`` where a credential plugin does not answer. A plugin's program is ended
    then, and when this is cancelled.
    """
    source = await asyncio.to_thread(_source, settings, os.environ)

    async def load() -> ClusterConfig:
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
        config=await load(),
        load=load,
    )


def contexts(settings: AccessSettings, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the kubeconfig's contexts with their namespaces, empty where there is no kubeconfig.

    Raises ``ConfigurationError`` where a file cannot be read.
    """
    paths = _named(settings, environment) or _DEFAULT_PATH
    if not _are_there(paths):
        return {}
    found = merged_kubeconfig(paths).entries["context"]
    return {name: context.text("namespace") for name, context in found.items()}


class ClusterAccess:
    """One API server, and credentials for it that are renewed when they expire."""

    def __init__(
        self,
        *,
        context: str,
        namespace: str,
        config: ClusterConfig,
        load: Callable[[], Awaitable[ClusterConfig]],
    ) -> None:
        self.context: Final = context
        self.namespace: Final = namespace
        self._config = config
        self._load = load
        self._lock = asyncio.Lock()

    @property
    def server(self) -> str:
        """The API server's URL, without a slash at its end."""
        return self.endpoint.url.geturl()

    @property
    def endpoint(self) -> Endpoint:
        """Where the API server is, and its proxy."""
        return self._config.endpoint

    async def credentials(self) -> Credentials:
        """Return credentials that hold now; to be asked for before each connection.

        Raises ``ConfigurationError`` or ``LookupTimeoutError`` where there are none any more.
        """
        async with self._lock:
            # Under the lock, so that a credential plugin runs once for requests at the same time.
            if time.monotonic() >= self._config.good_until:
                self._config = await self._load()
            return self._config.credentials

    async def renew(self, refused: Credentials) -> Credentials:
        """Return credentials after the server did not accept ``refused``; they may be the same.

        Raises like ``credentials``.
        """
        async with self._lock:
            # Somebody else may have renewed them while this waited for the lock.
            if self._config.credentials is refused:
                self._config = await self._load()
            return self._config.credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """What a connection needs; it may be used until ``good_until``, by ``time.monotonic``."""

    endpoint: Endpoint
    credentials: Credentials
    good_until: float


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


def _named(settings: AccessSettings, environment: Mapping[str, str]) -> str:
    return str(settings.kubeconfig or "") or environment.get("KUBECONFIG", "")


def _are_there(paths: str) -> bool:
    return any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep))


def _load(source: _Kubeconfig | _ServiceAccount, deadline: PluginDeadline) -> ClusterConfig:
    # ``ssl`` reads certificates and keys from files only; they are gone as soon as it has. Each
    # load has a folder of its own, so that two at the same time do not take each other's.
    with deadline.bounding(), tempfile.TemporaryDirectory(prefix="erlconnect-") as folder:
        try:
            return config_of(source.find(folder), source.context)
        except TimeoutError:
            raise
        except (ConfigException, OSError, ValueError, TypeError) as error:
            raise failures.unusable(source.context, error) from None


class _ServiceAccount:
    """The service account that is mounted into the pod that this runs in."""

    context: Final = IN_CLUSTER

    def __init__(self) -> None:
        # https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
        file = Path(in_cluster.SERVICE_TOKEN_FILENAME).with_name("namespace")
        self.namespace = file.read_text().strip() if file.is_file() else "default"

    def find(self, folder: str) -> ContextEntry:
        """Return the token and the certificate that are mounted now."""
        del folder  # nothing is written
        loader: Any = in_cluster.InClusterConfigLoader(
            in_cluster.SERVICE_TOKEN_FILENAME, in_cluster.SERVICE_CERT_FILENAME
        )
        loader.load_and_set(Configuration())
        return ContextEntry(
            host=loader.host,
            authority_file=loader.ssl_ca_cert,
            token=loader.token,
            seconds=_FILE_SECONDS,
        )


class _Kubeconfig:
    """One context of one or several kubeconfig files, which are read at every ``find``."""

    def __init__(self, paths: str, context: str) -> None:
        self._paths = paths
        merged = merged_kubeconfig(paths)
        self.context = context or merged.current_context
        self.namespace = self._context(merged).text("namespace") or "default"

    def find(self, folder: str) -> ContextEntry:
        """Return the settings of the context; keys and certificates are written to ``folder``."""
        merged = merged_kubeconfig(self._paths)
        context = self._context(merged)
        cluster = self._named(merged, context, "cluster")
        user = self._named(merged, context, "user")
        check_user(self.context, user)
        # The entry's own token or password counts more than a plugin, which is not run then.
        authorization = own_authorization(user)
        issued = IssuedCredentials() if authorization else self._issued(user, cluster, folder)
        certificate = content_file(user, "client-certificate", folder)
        key = content_file(user, "client-key", folder)
        if bool(certificate) != bool(key):
            raise failures.wrong_entry(
                user.location, "has a client-certificate or client-key alone"
            )
        # A plugin's certificate replaces that of the entry.
        if issued.certificate:
            certificate = written(issued.certificate.encode(), folder, "issued-certificate")
            key = written(issued.key.encode(), folder, "issued-key")
        return ContextEntry(
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

    def _issued(self, user: Entry, cluster: Entry, folder: str) -> IssuedCredentials:
        if "exec" in user.values:
            return plugin_credentials(self.context, user, cluster)
        if "auth-provider" in user.values:
            location = f"{user.location}.auth-provider.config"
            return OidcLogin(self.context, location, provider_config(user)).issued(folder)
        return IssuedCredentials()

    def _context(self, merged: MergedKubeconfig) -> Entry:
        contexts = merged.entries["context"]
        if self.context not in contexts:
            raise failures.no_context(self.context, sorted(contexts), self._paths)
        return contexts[self.context]

    def _named(self, merged: MergedKubeconfig, context: Entry, kind: str) -> Entry:
        """Return the cluster or user that the context names; only a user may be left out."""
        name = context.text(kind)
        if not name and kind == "user":
            return Entry(location=context.location, values={})
        if not name or name not in merged.entries[kind]:
            raise failures.no_entry(context.location, kind, name, sorted(merged.entries[kind]))
        return merged.entries[kind][name]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextEntry:
    """A context as it was read; ``token`` is the whole value of the header ``Authorization``.

    ``expiry`` is a POSIX time; without one, this may be used for ``seconds``.
    """

    host: str
    verified: bool = True
    authority_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    tls_server_name: str = ""
    proxy: str = ""
    token: str = field(default="", repr=False)
    user: Mapping[str, Any] = field(default_factory=dict, repr=False)
    expiry: float | None = None
    seconds: float | None = None


def config_of(entry: ContextEntry, context: str) -> ClusterConfig:
    """Return what a connection needs. The files have to exist only until this returns.

    Raises ``ConfigurationError`` where the context cannot be used so.
    """
    server = _server(entry, context)
    return ClusterConfig(
        endpoint=Endpoint(url=server, proxy=proxy_for(server, entry.proxy, os.environ, context)),
        credentials=Credentials(
            headers=(*_authorization(entry, context), *_impersonation(entry.user)),
            tls=_tls(entry, context) if server.scheme == "https" else None,
            tls_server_name=entry.tls_server_name or server.hostname or "",
            # Read now, for ``differ_from``: the file is gone when this is compared.
            certificate=_content(entry.certificate_file),
        ),
        good_until=_good_until(entry),
    )


def _server(entry: ContextEntry, context: str) -> SplitResult:
    try:
        server = urlsplit(entry.host.rstrip("/"))
        host, _ = (server.hostname or "").encode("idna").decode("ascii"), server.port
    except ValueError:
        raise failures.no_address(context, entry.host) from None
    if not entry.host.isascii():
        # As Go does: the name in ASCII is resolved, and compared with that in the certificate.
        port = "" if server.port is None else f":{server.port}"
        server = server._replace(netloc=f"{host}{port}")
    if server.scheme not in ("https", "http") or not server.hostname:
        raise failures.no_address(context, entry.host)
    if server.scheme == "http" and server.hostname not in _LOOPBACK:
        raise failures.in_the_clear(context, entry.host)
    # Without a checked certificate, any server could receive the token and the cookie.
    if not entry.verified:
        raise failures.unverified(context, entry.host)
    return server


def _authorization(entry: ContextEntry, context: str) -> Iterator[tuple[str, str]]:
    # Files end with a newline, and a service account's loader writes the scheme in small letters.
    kind, _, secret = entry.token.strip().partition(" ")
    secret = secret.strip()
    if not secret:
        return
    remember(secret)
    if not (secret.isascii() and secret.isprintable()):
        raise failures.unprintable_token(context)
    yield "Authorization", f"{kind.capitalize()} {secret}"


def _impersonation(user: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the headers of ``kubectl --as``, which a kubeconfig may hold too.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
    """
    if name := user.get("as"):
        yield "Impersonate-User", _header_text(name)
    if uid := user.get("as-uid"):
        yield "Impersonate-Uid", _header_text(uid)
    for group in user.get("as-groups") or ():
        yield "Impersonate-Group", _header_text(group)
    for key, values in (user.get("as-user-extra") or {}).items():
        # The server undoes this; keys often are names with a slash, which no header's name may be.
        name = f"Impersonate-Extra-{quote(str(key), safe=_HEADER_NAME_CHARACTERS)}"
        for value in values:
            yield name, _header_text(value)


def _header_text(value: object) -> str:
    """Return ``value`` as a header may have it. Raises ``ValueError`` for control characters."""
    text = str(value).strip(" \t")
    if any(ord(character) in _CONTROL_CHARACTERS for character in text.replace("\t", " ")):
        raise ValueError("a name to impersonate has characters that no header may have")
    return text


def _tls(entry: ContextEntry, context: str) -> ssl.SSLContext:
    try:
        tls = client_context(authority_file=entry.authority_file)
    except OSError as error:
        raise failures.bad_authority(context, error) from None
    # Otherwise an API server may choose HTTP/2.
    tls.set_alpn_protocols(["http/1.1"])
    if entry.certificate_file:
        try:
            load_own_certificate(tls, entry.certificate_file, entry.key_file)
        except (OSError, ValueError) as error:
            raise failures.bad_certificate(context, error) from None
    return tls


def _content(file: str | None) -> bytes:
    return Path(file).read_bytes() if file else b""


def _good_until(entry: ContextEntry) -> float:
    now = time.monotonic()
    if entry.expiry is not None:
        # Computed once as a monotonic time, which a change of the machine's clock does not move.
        return now + entry.expiry - time.time() - _EARLIER_SECONDS
    return now + entry.seconds if entry.seconds is not None else float("inf")
