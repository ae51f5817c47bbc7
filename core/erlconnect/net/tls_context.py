"""The TLS policy for every connection that is opened here, and the words for what TLS reports.

A certificate is trusted as Go's programs (kubectl, consul) trust it: any certificate in the file of
authorities ends the chain, be it an intermediate one or the server's own. TLS before 1.2 is
refused. Keys are never written to the file that ``SSLKEYLOGFILE`` names.
"""

from __future__ import annotations

import os
import re
import ssl
from typing import TYPE_CHECKING, Final

from erlconnect.net.tls import strict

if TYPE_CHECKING:
    from pathlib import Path

_NOT_YET_VALID: Final = 9  # X509_V_ERR_CERT_NOT_YET_VALID of OpenSSL
_EXPIRED: Final = 10  # X509_V_ERR_CERT_HAS_EXPIRED
# What Python puts around OpenSSL's reason: "[SSL: REASON]" and the line in its own source.
_PYTHON_DETAILS: Final = re.compile(r"^\[[^]]*\] *|\(_ssl\.c:\d+\)$")


def client_context(
    *,
    authority_file: str | Path | None = None,
    authority_folder: str | Path | None = None,
    authorities: str | None = None,
) -> ssl.SSLContext:
    """Return a context that checks the server's certificate and its name.

    ``authorities`` are certificates as PEM text. Without any of the three the system's authorities
    count. Raises ``OSError`` and ``ssl.SSLError`` where a file cannot be used.
    """
    # Not ``ssl.create_default_context``, which writes the keys to SSLKEYLOGFILE.
    context = strict(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if authority_file or authority_folder or authorities:
        context.load_verify_locations(
            authority_file or None, authority_folder or None, authorities or None
        )
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def probe_context() -> ssl.SSLContext:
    """Return a context that checks nothing: for a handshake after which nothing is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def load_own_certificate(
    context: ssl.SSLContext, certificate: str | Path, key: str | Path | None
) -> None:
    """Load the certificate and key for the other side; no passphrase is asked for.

    Raises ``OSError``, ``ssl.SSLError``, and ``ValueError`` where the key is encrypted.
    """
    context.load_cert_chain(certificate, key or None, password=_no_passphrase)


def tls_words(error: Exception) -> str:
    """Return in a few words what the system or the TLS library reported."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.rstrip(".")
    if isinstance(error, ssl.SSLError):
        reason = error.reason or _PYTHON_DETAILS.sub("", str(error)).strip()
        words = reason.replace("_", " ").lower()
        return "not in PEM form" if words in ("pem lib", "unknown error", "") else words
    number = getattr(error, "errno", None)
    # The numbers of ``gaierror`` are negative on Linux and no errno.
    if isinstance(error, OSError) and error.strerror and not (number and number > 0):
        return error.strerror
    return os.strerror(number).lower() if number else str(error)


def certificate_remedy(error: ssl.SSLCertVerificationError, otherwise: str) -> str:
    """Return what to do about a certificate that did not pass; ``otherwise`` unless it is a date.

    A date that has passed is no question of whom to trust.
    """
    if error.verify_code == _EXPIRED:
        return (
            "A certificate of the other side, or of an authority above it, is past its last day:"
            " it has to be renewed there. Check the clock of this machine, too."
        )
    if error.verify_code == _NOT_YET_VALID:
        return (
            "The certificate is not valid before a later day: check the clocks of this machine and"
            " of the one that issued it."
        )
    return otherwise


def _no_passphrase() -> str:
    # Without it OpenSSL would ask for one at the terminal, and wait.
    raise ValueError("the key is encrypted")
