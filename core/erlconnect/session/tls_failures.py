"""The words for what can go wrong when the distribution is spoken over TLS."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from erlconnect.errors import NotDistributionError, RefusedError, TimedOutError
from erlconnect.tls.context import certificate_remedy, tls_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def untrusted(where: str, error: ssl.SSLCertVerificationError) -> RefusedError:
    """Fail because nobody whom we trust vouches for the node; nothing was said to it."""
    return RefusedError(
        f"{where} showed a certificate that is not trusted here: "
        f"{tls_words(error)}; nothing was sent to it",
        remedy=certificate_remedy(
            error,
            "Name the certificates that vouch for the node with `-o transport.tls-ca=`: what "
            "its own ssl_dist_optfile has as cacertfile.",
        ),
    )


def another_name(where: str, wanted: str, names: Sequence[str]) -> RefusedError:
    """Fail because the certificate is another host's; nothing was said to it."""
    listed = ", ".join(names) or "nobody"
    return RefusedError(
        f"{where} showed a certificate for {listed}, and {wanted} was expected; nothing was sent "
        "to it",
        remedy="If that is the node you mean, name what its certificate says with "
        "`-o transport.tls-server-name=`.",
    )


def refused(where: str, error: Exception, certificate: Path | None) -> RefusedError:
    """Fail because the node did not take what we showed to it."""
    why = tls_words(error)
    if certificate is None:
        return RefusedError(
            f"{where} ended the TLS handshake, and no certificate was shown to it: {why}",
            remedy="If the node wants a certificate (verify_peer), give one that it trusts with "
            "`-o transport.tls-cert=` and `-o transport.tls-key=`.",
        )
    return RefusedError(
        f"{where} ended the TLS handshake, with {certificate} shown to it: {why}",
        remedy="Show a certificate that the node's own cacertfile vouches for and that has not "
        "expired, with `-o transport.tls-cert=`.",
    )


def no_tls(where: str, why: str) -> NotDistributionError:
    """Fail because what answered was no TLS."""
    return NotDistributionError(
        f"{where} did not answer in TLS: {why}",
        remedy="Leave out the settings transport.tls-... if the node speaks the plain "
        "distribution, and check that the port is the distribution port.",
    )


def silent(where: str, seconds: float) -> TimedOutError:
    """Fail because nothing came; a plain node waits for more, too."""
    return TimedOutError(
        f"{where} accepted the connection, but did not answer in TLS within {seconds:g} s",
        remedy="Leave out the settings transport.tls-... if the node speaks the plain "
        "distribution; else try again.",
    )


def is_alert(error: Exception) -> bool:
    """Say whether the other side ended TLS with a reason."""
    return isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "")
