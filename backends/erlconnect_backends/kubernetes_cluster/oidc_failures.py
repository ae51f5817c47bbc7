"""The words for an OpenID Connect issuer that gives no identity token; they quote no secret."""

from __future__ import annotations

import ssl
from typing import Final

from erlconnect.api import (
    ConfigurationError,
    LookupFailedError,
    LookupTimeoutError,
    RefusedError,
    certificate_remedy,
    tls_words,
)

_LOG_IN: Final = "Log in again by the issuer's own program (for many: kubelogin)."


def missing(place: str, key: str) -> ConfigurationError:
    """Fail because the provider cannot be asked without this setting."""
    return ConfigurationError(
        f"{place}: the auth provider oidc has no {key}",
        remedy="Write it into auth-provider.config of the kubeconfig.",
    )


def expired(context: str) -> RefusedError:
    """Fail because the token is old and nothing renews it."""
    return RefusedError(
        f"The id-token of the context {context} is missing or has expired, and there is no"
        " refresh-token",
        remedy=_LOG_IN,
    )


def no_token(context: str, why: str) -> RefusedError:
    """Fail because what came is no identity token."""
    return RefusedError(f"The context {context} has no identity token: {why}", remedy=_LOG_IN)


def refused(context: str, issuer: str, why: str) -> RefusedError:
    """Fail because the issuer does not renew the token."""
    return RefusedError(
        f"The issuer {issuer} of the context {context} refused the refresh-token: {why}",
        remedy=_LOG_IN,
    )


def no_issuer(context: str, issuer: str, why: str) -> LookupFailedError:
    """Fail because what answered is no issuer, or is out of order."""
    return LookupFailedError(
        f"Nothing renewed the id-token of the context {context} at the issuer {issuer}: {why}",
        remedy="Check idp-issuer-url in the kubeconfig, or try again.",
    )


def silence(context: str, issuer: str, seconds: float) -> LookupTimeoutError:
    """Fail because no answer came in time."""
    return LookupTimeoutError(
        f"The issuer {issuer} of the context {context} did not answer within {seconds:g} s",
        remedy="Check that it can be reached (a VPN? a proxy?), and try again.",
    )


def unreachable(context: str, issuer: str, error: OSError) -> LookupFailedError:
    """Fail because there is no connection, or no trust; then nothing was sent."""
    where = f"The issuer {issuer} of the context {context}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return LookupFailedError(
            f"{where} showed a certificate that is not trusted: {tls_words(error)}; nothing was"
            " sent to it",
            remedy=certificate_remedy(
                error, "Name its CA with idp-certificate-authority in the kubeconfig."
            ),
        )
    return LookupFailedError(
        f"{where} could not be reached: {tls_words(error)}",
        remedy="Check idp-issuer-url in the kubeconfig, and the way there (a VPN? a proxy?).",
    )


def in_the_clear(context: str, url: str) -> ConfigurationError:
    """Fail because a secret would travel without TLS."""
    return ConfigurationError(
        f"The context {context} would send its refresh-token to {url} without TLS",
        remedy="The issuer and its token_endpoint have to be https:// addresses.",
    )


def bad_authority(place: str, error: OSError) -> ConfigurationError:
    """Fail because the issuer's CA cannot be used."""
    return ConfigurationError(
        f"{place}: idp-certificate-authority could not be used: {tls_words(error)}",
        remedy="It has to be a PEM file, or its content in base64 with -data.",
    )
