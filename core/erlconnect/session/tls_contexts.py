"""From files to TLS contexts, once at a session's start."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from erlconnect.errors import ConfigurationError
from erlconnect.tls.context import client_context as checking_context
from erlconnect.tls.context import load_own_certificate, tls_words
from erlconnect.tls.handshake import strict

if TYPE_CHECKING:
    from pathlib import Path

    from erlconnect.configuration.tls_settings import TlsSettings


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """Give what the session speaks TLS to nodes with. Raises ``ConfigurationError``.

    Names are not looked at: OTP's certificates say ``DNS:`` before addresses, too.
    """
    context = _checking(settings.tls_ca)
    context.check_hostname = False
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
        load_own_certificate(context, certificate, key)
    except (ssl.SSLError, ValueError) as error:
        files = f"{certificate}" if key is None else f"{certificate} with {key}"
        raise ConfigurationError(
            f"-o {prefix}cert: {files} cannot be used: {tls_words(error)}",
            remedy="Both have to be PEM, the key without a passphrase and that of the certificate; "
            f"`-o {prefix}key=` names a key that is in a file of its own.",
        ) from error


def _checking(path: Path | None) -> ssl.SSLContext:
    if path is None:
        return checking_context()
    try:
        return checking_context(authority_file=_readable("transport.tls-ca", path))
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"-o transport.tls-ca: {path} holds no certificate that can be read:"
            f" {tls_words(error)}",
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
