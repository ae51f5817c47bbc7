"""Identity tokens of an OpenID Connect issuer, renewed with a refresh token as kubectl does.

``cluster_access`` asks ``OidcLogin`` for a token where a user entry has the provider ``oidc``. The
issuer is asked by ``exchange``, as an API server is. The library's own renewal is not used: without
an authority in the kubeconfig it checks no certificate. Renewed tokens stay in this process, and
the kubeconfig is left as it is.

The errors at the end quote no secret.
Specification: https://openid.net/specs/openid-connect-core-1_0.html, 12
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

from erlconnect.api import (
    ConfigurationError,
    HttpError,
    LookupFailedError,
    LookupTimeoutError,
    RefusedError,
    certificate_remedy,
    client_context,
    redact,
    remember,
    tls_words,
)
from erlconnect_backends.kubernetes.connection import (
    Credentials,
    Endpoint,
    exchange,
    proxy_for,
)
from erlconnect_backends.kubernetes.kubeconfig import Entry, IssuedCredentials, content_file

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG_IN: Final = "Log in again by the issuer's own program (for many: kubelogin)."
_SECONDS: Final = 10.0
_EARLIER_SECONDS: Final = 10.0
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_OK: Final = 200
_REFUSALS: Final = range(400, 500)
_MAX_BYTES: Final = 1024 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
# An issuer may accept each refresh token only once, so the newest one counts. The key is made of
# the kubeconfig's tokens: after a new login they are others, and the entry here is not used.
_renewed: dict[tuple[str, ...], tuple[str, str]] = {}


class OidcLogin:
    """The settings of one ``auth-provider`` called ``oidc``."""

    def __init__(self, context: str, location: str, config: Mapping[str, str]) -> None:
        self._context = context
        self._location = location
        self._config = config
        self._issuer = config.get("idp-issuer-url", "").rstrip("/")
        self._client = config.get("client-id", "")
        for key in ("client-secret", "refresh-token", "id-token"):
            remember(config.get(key, ""))

    def issued(self, folder: str) -> IssuedCredentials:
        """Return a valid identity token. Blocks for 10 s at most; no event loop may run.

        Raises ``ConfigurationError``, ``RefusedError`` where no token can be had, and
        ``LookupFailedError`` where the issuer cannot be reached or is not trusted.
        """
        for key in ("idp-issuer-url", "client-id"):
            if not self._config.get(key):
                raise missing(self._location, key)
        stored = (self._config.get("id-token", ""), self._config.get("refresh-token", ""))
        login = (self._issuer, self._client, *stored)
        token, refresh = _renewed.get(login, stored)
        expiry = self._expiry(token) if token else 0.0
        # A token without ``exp`` is taken as it is; only the API server can refuse it.
        if expiry is None or time.time() < expiry - _EARLIER_SECONDS:
            return IssuedCredentials(token=token, expiry=expiry)
        if not refresh:
            raise expired(self._context)
        # This runs in a thread of its own, beside the session's event loop.
        token, refresh = asyncio.run(self._refreshed(refresh, folder))
        _renewed[login] = token, refresh
        return IssuedCredentials(token=token, expiry=self._expiry(token))

    def _expiry(self, token: str) -> float | None:
        try:
            middle = token.split(".")[1]
            # JWTs have base64 without its padding (RFC 7515, 2).
            claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
            return None if claims.get("exp") is None else float(claims["exp"])
        except (ValueError, LookupError, AttributeError, TypeError):
            raise no_token(self._context, "its id-token is no JWT") from None

    async def _refreshed(self, refresh: str, folder: str) -> tuple[str, str]:
        try:
            async with asyncio.timeout(_SECONDS):
                endpoint = await self._endpoint(folder)
                answer = await self._renewal(endpoint, refresh, folder)
        except TimeoutError:
            raise silence(self._context, self._issuer, _SECONDS) from None
        except HttpError:
            raise no_issuer(self._context, self._issuer, "it does not speak HTTP") from None
        except OSError as error:
            raise unreachable(self._context, self._issuer, error) from None
        token, newer = answer.get("id_token"), answer.get("refresh_token")
        if not isinstance(token, str) or not token:
            raise no_token(self._context, "the issuer's answer has no id_token")
        remember(token)
        # An issuer need not send a new refresh token; then the old one stays (RFC 6749, 6).
        if not isinstance(newer, str) or not newer:
            return token, refresh
        remember(newer)
        return token, newer

    async def _endpoint(self, folder: str) -> str:
        # OpenID Connect Discovery 1.0, section 4.
        url = f"{self._issuer}/.well-known/openid-configuration"
        status, answer = await self._answer(url, folder)
        endpoint = answer.get("token_endpoint")
        if status != _OK or not isinstance(endpoint, str) or not endpoint:
            why = f"it answered {status}" if status != _OK else "it names no token_endpoint"
            raise no_issuer(self._context, self._issuer, why)
        return endpoint

    async def _renewal(self, endpoint: str, refresh: str, folder: str) -> dict[str, Any]:
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        secret = self._config.get("client-secret", "")
        pair = f"{quote_plus(self._client)}:{quote_plus(secret)}".encode()
        # OAuth 2.0 (RFC 6749, 2.3.1) has both parts form-encoded before they are joined.
        basic = ("Authorization", "Basic " + base64.b64encode(pair).decode())
        status, answer = await self._answer(endpoint, folder, form, basic)
        if status in _REFUSALS and answer.get("error") != "invalid_grant":
            # Some issuers take the client's secret in the form alone.
            more = {"client_id": self._client} | ({"client_secret": secret} if secret else {})
            status, answer = await self._answer(endpoint, folder, form | more)
        if status in _REFUSALS:
            why = answer.get("error_description") or answer.get("error") or status
            raise refused(self._context, self._issuer, redact(str(why)))
        if status != _OK:
            raise no_issuer(self._context, self._issuer, f"it answered {status}")
        return answer

    async def _answer(
        self,
        url: str,
        folder: str,
        form: Mapping[str, str] | None = None,
        *headers: tuple[str, str],
    ) -> tuple[int, dict[str, Any]]:
        server = urlsplit(url)
        # The document of the issuer names the token endpoint: it is checked as the issuer is.
        if not server.hostname or (
            server.scheme != "https"
            and not (server.scheme == "http" and server.hostname in _LOOPBACK)
        ):
            raise in_the_clear(self._context, url)
        credentials = Credentials(
            headers=headers,
            tls=self._tls(folder) if server.scheme == "https" else None,
            tls_server_name=server.hostname,
        )
        endpoint = Endpoint(
            url=server._replace(path=server.path or "/", query="", fragment=""),
            proxy=proxy_for(server, "", os.environ, self._context),
        )
        target = f"?{server.query}" if server.query else ""
        body = b"" if form is None else urlencode(form).encode()
        method = "GET" if form is None else "POST"
        async with exchange(
            endpoint, credentials, target, method=method, body=body, content_type=_FORM
        ) as response:
            content = await response.read(limit=_MAX_BYTES)
        try:
            answer = json.loads(content)
        except ValueError:
            answer = {}
        return response.status, answer if isinstance(answer, dict) else {}

    def _tls(self, folder: str) -> Any:
        entry = Entry(location=self._location, values=self._config)
        file = content_file(entry, "idp-certificate-authority", folder)
        try:
            return client_context(authority_file=file)
        except OSError as error:
            raise bad_authority(self._location, error) from None


def missing(location: str, key: str) -> ConfigurationError:
    """Return the error where the provider cannot be asked without this setting."""
    return ConfigurationError(
        f"{location}: the auth provider oidc has no {key}",
        remedy="Write it into auth-provider.config of the kubeconfig.",
    )


def expired(context: str) -> RefusedError:
    """Return the error where the token is old and nothing renews it."""
    return RefusedError(
        f"The id-token of the context {context} is missing or has expired, and there is no"
        " refresh-token",
        remedy=_LOG_IN,
    )


def no_token(context: str, why: str) -> RefusedError:
    """Return the error where no valid identity token is there or was sent."""
    return RefusedError(f"The context {context} has no identity token: {why}", remedy=_LOG_IN)


def refused(context: str, issuer: str, why: str) -> RefusedError:
    """Return the error where the issuer does not renew the token."""
    return RefusedError(
        f"The issuer {issuer} of the context {context} refused the refresh-token: {why}",
        remedy=_LOG_IN,
    )


def no_issuer(context: str, issuer: str, why: str) -> LookupFailedError:
    """Return the error where the server is no OpenID issuer, or failed."""
    return LookupFailedError(
        f"Nothing renewed the id-token of the context {context} at the issuer {issuer}: {why}",
        remedy="Check idp-issuer-url in the kubeconfig, or try again.",
    )


def silence(context: str, issuer: str, seconds: float) -> LookupTimeoutError:
    """Return the error where no answer came in time."""
    return LookupTimeoutError(
        f"The issuer {issuer} of the context {context} did not answer within {seconds:g} s",
        remedy="Check that it can be reached (a VPN? a proxy?), and try again.",
    )


def unreachable(context: str, issuer: str, error: OSError) -> LookupFailedError:
    """Return the error where there is no connection, or no trust; then nothing was sent."""
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
    """Return the error where a secret would travel without TLS."""
    return ConfigurationError(
        f"The context {context} would send its refresh-token to {url} without TLS",
        remedy="The issuer and its token_endpoint have to be https:// addresses.",
    )


def bad_authority(location: str, error: OSError) -> ConfigurationError:
    """Return the error where the issuer's CA cannot be used."""
    return ConfigurationError(
        f"{location}: idp-certificate-authority could not be used: {tls_words(error)}",
        remedy="It has to be a PEM file, or its content in base64 with -data.",
    )
