"""From what a kubeconfig says to what a connection needs: address, TLS, headers, proxy.

Refuses to read a kubeconfig (``client``) and to connect (``connection``). Nothing here turns the
check of certificates off.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from erlconnect.api import client_context, load_own_certificate, remember
from erlconnect_backends.kubernetes_cluster import access_failures as failures
from erlconnect_backends.kubernetes_cluster.cluster_access import Credentials, Loaded
from erlconnect_backends.kubernetes_cluster.proxies import proxy_for

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
# A credential is not used in its last seconds: the server's clock may be ahead.
_EARLIER_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was read; ``token`` is the whole value of the header ``Authorization``.

    ``expiry`` is a POSIX time. ``seconds`` is for how long this may be used otherwise.
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


def loaded_of(found: Found, context: str) -> Loaded:
    """Make what a connection needs. The files have to exist only until this returns.

    Raises ``ConfigurationError`` where something of it cannot be used.
    """
    server = _server(found, context)
    return Loaded(
        server=server,
        proxy=proxy_for(server, found.proxy, os.environ, context),
        credentials=Credentials(
            headers=(*_authorization(found, context), *_impersonation(found.user)),
            tls=_tls(found, context) if server.scheme == "https" else None,
            tls_server_name=found.tls_server_name or server.hostname or "",
            certificate=_content(found.certificate_file),
        ),
        good_until=_good_until(found),
    )


def _server(found: Found, context: str) -> SplitResult:
    try:
        server = urlsplit(found.host.rstrip("/"))
        host, _ = (server.hostname or "").encode("idna").decode("ascii"), server.port
    except ValueError:
        raise failures.no_address(context, found.host) from None
    if not found.host.isascii():
        # As Go does: what is asked, and what the certificate has to say, is the name in ASCII.
        port = "" if server.port is None else f":{server.port}"
        server = server._replace(netloc=f"{host}{port}")
    if server.scheme not in ("https", "http") or not server.hostname:
        raise failures.no_address(context, found.host)
    if server.scheme == "http" and server.hostname not in _LOOPBACK:
        raise failures.in_the_clear(context, found.host)
    if not found.verified:
        raise failures.unverified(context, found.host)
    return server


def _authorization(found: Found, context: str) -> Iterator[tuple[str, str]]:
    # Files end with a newline, and a service account's loader writes the scheme in small letters.
    kind, _, secret = found.token.strip().partition(" ")
    secret = secret.strip()
    if not secret:
        return
    remember(secret)
    if not (secret.isascii() and secret.isprintable()):
        raise failures.unprintable_token(context)
    yield "Authorization", f"{kind.capitalize()} {secret}"


def _impersonation(user: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the headers of ``kubectl --as``, which a kubeconfig may hold too."""
    if name := user.get("as"):
        yield "Impersonate-User", str(name)
    if uid := user.get("as-uid"):
        yield "Impersonate-Uid", str(uid)
    for group in user.get("as-groups") or ():
        yield "Impersonate-Group", str(group)
    for key, values in (user.get("as-user-extra") or {}).items():
        for value in values:
            yield f"Impersonate-Extra-{key}", str(value)


def _tls(found: Found, context: str) -> ssl.SSLContext:
    try:
        tls = client_context(authority_file=found.authority_file)
    except OSError as error:
        raise failures.bad_authority(context, error) from None
    tls.set_alpn_protocols(["http/1.1"])
    if found.certificate_file:
        try:
            load_own_certificate(tls, found.certificate_file, found.key_file)
        except (OSError, ValueError) as error:
            raise failures.bad_certificate(context, error) from None
    return tls


def _content(file: str | None) -> bytes:
    return Path(file).read_bytes() if file else b""


def _good_until(found: Found) -> float:
    now = time.monotonic()
    if found.expiry is not None:
        return now + found.expiry - time.time() - _EARLIER_SECONDS
    return now + found.seconds if found.seconds is not None else float("inf")
