"""From files to TLS contexts, once at a session's start."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from erlconnect.errors import ConfigurationError
from erlconnect.tls.handshake import strict

if TYPE_CHECKING:
    from pathlib import Path

    from erlconnect.configuration.tls_settings import TlsSettings


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """Give what the session speaks TLS to nodes with. Raises ``ConfigurationError``.

    Names are not looked at: OTP's certificates say ``DNS:`` before addresses, too.
    """
    context = strict(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.check_hostname = False
    if settings.tls_ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        # What was named is trusted, be it a node's own certificate.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        _load_authorities(context, settings.tls_ca)
    if settings.tls_cert is not None:
        load_own(context, settings.tls_cert, settings.tls_key, "transport.tls-")
    elif settings.tls_key is not None:
        raise _lonely_key(settings.tls_key, "transport.tls-")
    return context


def server_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Give what local nodes are let in with that speak TLS; ``None`` where they are not."""
    if certificate is None:
        if key is not None:
            raise _lonely_key(key, "local-tls-")
        return None
    context = strict(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    load_own(context, certificate, key, "local-tls-")
    return context


def load_own(context: ssl.SSLContext, certificate: Path, key: Path | None, prefix: str) -> None:
    """Load a certificate with its key. Raises ``ConfigurationError``, naming the settings."""
    certificate = _readable(f"{prefix}cert", certificate)
    if key is not None:
        key = _readable(f"{prefix}key", key)
    try:
        context.load_cert_chain(certificate, key, password=_never)
    except (ssl.SSLError, ValueError) as error:
        files = f"{certificate}" if key is None else f"{certificate} with {key}"
        raise ConfigurationError(
            f"-o {prefix}cert: {files} cannot be used: {_words(error)}",
            remedy="Both have to be PEM, the key without a passphrase and that of the certificate; "
            f"`-o {prefix}key=` names a key that is in a file of its own.",
        ) from error


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(cafile=_readable("transport.tls-ca", path))
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"-o transport.tls-ca: {path} holds no certificate that can be read: {_words(error)}",
            remedy="Name a PEM file with the certificates that vouch for the node.",
        ) from error


def _lonely_key(key: Path, prefix: str) -> ConfigurationError:
    return ConfigurationError(
        f"-o {prefix}key: {key} is a key without a certificate",
        remedy=f"Name the certificate with `-o {prefix}cert=`.",
    )


def _readable(key: str, path: Path) -> Path:
    try:
        found = path.expanduser()
        found.open("rb").close()
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"-o {key}: {path} cannot be read: {getattr(error, 'strerror', None) or error}",
            remedy="Correct the name of the file, or its rights.",
        ) from error
    return found


def _never() -> str:
    """Refuse to ask for a passphrase: the library would ask at the terminal."""
    raise ValueError("the key is encrypted")


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error).replace("_", " ").lower()
