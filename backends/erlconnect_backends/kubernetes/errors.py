"""The errors of this package: what was asked, what came back, and what to do next.

The first part is about an API server's answers, for ``api_client`` and ``exec``; ``forward_errors``
makes errors of port-forwards of them. The second is about kubeconfigs that cannot be used, for
``kubeconfig`` and ``cluster_access``. No message quotes what may be a secret.
"""

from __future__ import annotations

import re
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import (
    ConfigurationError,
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    RefusedError,
    certificate_remedy,
    redact,
    tls_words,
)
from erlconnect.net.sockets import os_error_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from urllib.parse import SplitResult

    from erlconnect_backends.kubernetes.cluster_access import ClusterAccess

_MAX_SHOWN: Final = 300
_MAX_PLUGIN_WORDS: Final = 300
# Control characters, also those of terminals (C0, DEL and C1).
_NOT_PRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa1-\U0010ffff]+")


def shown(text: str) -> str:
    """Return the beginning of what came back on one line, without secrets."""
    line = redact(_NOT_PRINTABLE.sub(" ", text).strip())
    return line if len(line) <= _MAX_SHOWN else f"{line[:_MAX_SHOWN]}..."


def _where(access: ClusterAccess) -> str:
    return f"the API server {access.server} (context {access.context})"


def silence(access: ClusterAccess, what: str, seconds: float) -> LookupTimeoutError:
    """Return the error where no answer came in time."""
    return LookupTimeoutError(
        f"Asked for {what}: {_where(access)} did not answer within {seconds:g} s",
        remedy="Check that it can be reached (a VPN? a firewall? a proxy?), and try again.",
    )


def unreachable(access: ClusterAccess, what: str, error: OSError) -> LookupFailedError:
    """Return the error where there is no connection, or it broke."""
    if isinstance(error, ssl.SSLError):
        return _tls_refused(access, what, error)
    return LookupFailedError(
        f"Asked for {what}: {_where(access)} could not be reached: {os_error_text(error)}",
        remedy="Check `kubectl get pods` with the same context; -o context= chooses another.",
    )


def _tls_refused(access: ClusterAccess, what: str, error: ssl.SSLError) -> LookupFailedError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return LookupFailedError(
            f"Asked for {what}: {_where(access)} showed a certificate that is not trusted:"
            f" {tls_words(error)}",
            remedy=certificate_remedy(
                error,
                "Put the cluster's CA into certificate-authority-data of the kubeconfig; if only"
                " the name differs, set tls-server-name there.",
            ),
        )
    return LookupFailedError(
        f"Asked for {what}: TLS with {_where(access)} failed: {tls_words(error)}",
        remedy="Check the `server` and the client certificate in the kubeconfig.",
    )


def no_http(access: ClusterAccess, what: str) -> LookupFailedError:
    """Return the error where the answer is no HTTP, no JSON, or not whole."""
    return LookupFailedError(
        f"Asked for {what}: the answer of {_where(access)} is not an API server's",
        remedy="Check the `server` in the kubeconfig, and whether a proxy answers in its place.",
    )


def not_logged_in(access: ClusterAccess, what: str, said: str) -> RefusedError:
    """Return the error where the server does not know who asks."""
    return RefusedError(
        f"Asked for {what}: {_where(access)} does not accept the credentials"
        f" (401{f': {shown(said)}' if said else ''})",
        remedy="Log in again by the cluster's own program; `kubectl get pods` has to work.",
    )


def answered(
    access: ClusterAccess, what: str, status: int, said: str, *, pause: float | None = None
) -> ErlconnectError:
    """Return the error for a status that nothing else stands for.

    ``pause`` is for how long the server wants to be left alone.
    """
    words = f"{status} ({shown(said)})" if said else str(status)
    message = f"Asked for {what}: {_where(access)} answered {words}"
    if status == HTTPStatus.NOT_FOUND:
        return NameNotFoundError(message, remedy="Check the name, -o namespace= and -o context=.")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        when = f"in {pause:g} s" if pause else "in a while"
        return LookupTimeoutError(message, remedy=f"It is busy: try again {when}.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return LookupFailedError(
            message, remedy="Try again; if it answers so again, see the server's own log."
        )
    return LookupFailedError(message, remedy="Check what was asked for with `kubectl`.")


def forbidden(
    access: ClusterAccess, what: str, said: str, *, missing: str, namespace: str, role: str
) -> RefusedError:
    """Return the error where a right is missing.

    ``role`` is a Role that has it and the others that are needed.
    """
    return RefusedError(
        f"Asked for {what}: {_where(access)} does not allow to {missing} in the namespace"
        f" {namespace} (403{f': {shown(said)}' if said else ''})",
        remedy="An administrator of the namespace can create this Role by `kubectl apply -f -`, and"
        f" bind it by `kubectl create rolebinding erlconnect -n {namespace} --role=erlconnect"
        f" --user=YOU`:\n\n{role}",
    )


def no_kubeconfig(paths: str) -> ConfigurationError:
    """Return the error where no API server is configured."""
    return ConfigurationError(
        f"There is no kubeconfig ({paths})",
        remedy="Name one with -o kubeconfig= or KUBECONFIG; `kubectl config view` has to show a"
        " cluster.",
    )


def no_context(context: str, known: Sequence[str], paths: str) -> ConfigurationError:
    """Return the error where the context is not there, or none was named."""
    there = ", ".join(known) or "none at all"
    if not context:
        return ConfigurationError(
            f"The kubeconfig {paths} names no current context",
            remedy=f"Choose one with -o context= or `kubectl config use-context`: {there}.",
        )
    return ConfigurationError(
        f"The kubeconfig {paths} has no context {context!r}",
        remedy=f"There are {there}: choose with -o context=.",
    )


def unreadable(paths: str, error: Exception) -> ConfigurationError:
    """Return the error where a file is not readable or no kubeconfig."""
    if isinstance(error, OSError):
        words = error.strerror or "it cannot be read"
    elif isinstance(error, UnicodeDecodeError):
        words = "it is not in UTF-8"
    else:
        # The parser's own words would quote the file.
        mark = getattr(error, "problem_mark", None)
        words = "it is no kubeconfig" + (f" (line {mark.line + 1})" if mark else "")
    return ConfigurationError(
        f"The kubeconfig {paths} could not be read: {words}",
        remedy="Correct the file, or name another with -o kubeconfig=.",
    )


def unusable(context: str, error: Exception) -> ConfigurationError:
    """Return the error where the context lacks something."""
    if isinstance(error, OSError):
        words = f"{error.filename or 'a file'}: {error.strerror}"
    else:
        words = str(error)
    return ConfigurationError(
        f"The context {context} cannot be used: {redact(words)}",
        remedy="Correct the kubeconfig; `kubectl --context` with this context has to work, too.",
    )


def wrong_entry(location: str, words: str) -> ConfigurationError:
    """Return the error for the entry at ``location``: a file and a key, never its value."""
    return ConfigurationError(
        f"The kubeconfig cannot be used: {location} {redact(words)}",
        remedy="Correct it there; `kubectl get pods` has to work with it, too.",
    )


def missing_file(location: str, path: str, error: Exception) -> ConfigurationError:
    """Return the error where a file that the kubeconfig names cannot be read."""
    words = "it is not in UTF-8" if isinstance(error, ValueError) else tls_words(error)
    return ConfigurationError(
        f"The kubeconfig cannot be used: {location} names {path}: {words}",
        remedy="Correct the name in the kubeconfig, or let this user read the file.",
    )


def no_entry(location: str, kind: str, name: str, known: Sequence[str]) -> ConfigurationError:
    """Return the error where a context names a cluster or user that is nowhere."""
    there = ", ".join(map(repr, known)) or "none at all"
    words = f"names the {kind} {name!r}, which is in no file" if name else f"names no {kind}"
    return wrong_entry(location, f"{words}; there are {there}")


def unknown_provider(context: str, name: str, replacement: str) -> RefusedError:
    """Return the error where the credentials cannot be had; nobody is asked without them."""
    if replacement:
        return RefusedError(
            f"The context {context} logs in by the auth provider {name}, which Kubernetes has"
            f" removed in favour of {replacement}",
            remedy=f"Use {replacement} in the kubeconfig (`exec`); the provider's own program"
            " writes it there.",
        )
    return RefusedError(
        f"The context {context} logs in by an auth provider that is not known: {name!r}",
        remedy="Known is oidc; anything else is a credential plugin (`exec`) in the kubeconfig.",
    )


def no_plugin(context: str, plugin: Mapping[str, Any]) -> ConfigurationError:
    """Return the error where a credential plugin is not installed."""
    hint = " ".join(str(plugin.get("installHint") or "").split())[:_MAX_PLUGIN_WORDS]
    return ConfigurationError(
        f"The credential plugin {plugin.get('command')} of the context {context} is not installed",
        remedy=hint or "Install the program, or correct `command` in the kubeconfig.",
    )


def slow_plugin(context: str, seconds: float) -> LookupTimeoutError:
    """Return the error where credentials do not come."""
    return LookupTimeoutError(
        f"The context {context} gave no credentials within {seconds:g} s",
        remedy="Log in by its provider's own program first; `kubectl get pods` has to work.",
    )


def plugin_failed(
    context: str, plugin: Mapping[str, Any], said: Sequence[str]
) -> ConfigurationError:
    """Return the error where a credential plugin gave nothing."""
    words = redact("; ".join(said) or "it gave neither a token nor a certificate")[
        :_MAX_PLUGIN_WORDS
    ]
    return ConfigurationError(
        f"The credential plugin {plugin.get('command')} of the context {context} failed: {words}",
        remedy="Log in by its provider's own program; `kubectl get pods` has to work.",
    )


def no_address(context: str, host: str) -> ConfigurationError:
    """Return the error where the cluster has no usable ``server``."""
    return ConfigurationError(
        f"The cluster of the context {context} has no usable address ({host!r})",
        remedy="Its `server` in the kubeconfig has to be https://HOST:PORT.",
    )


def in_the_clear(context: str, host: str) -> ConfigurationError:
    """Return the error where a token and a cookie would travel without TLS."""
    return ConfigurationError(
        f"The context {context} asks {host} without TLS, where anybody on the way could read the"
        " token and the cookie",
        remedy="Use an https:// address; http:// is for this machine alone (`kubectl proxy`).",
    )


def unverified(context: str, host: str) -> ConfigurationError:
    """Return the error where the kubeconfig turns the check of certificates off."""
    return ConfigurationError(
        f"The context {context} has insecure-skip-tls-verify: anybody on the way could be {host},"
        " and would receive the token and the cookie",
        remedy="Remove insecure-skip-tls-verify and put the cluster's CA into"
        " certificate-authority-data; if only the name differs, set tls-server-name.",
    )


def unprintable_token(context: str) -> ConfigurationError:
    """Return the error where what should be a token is none."""
    return ConfigurationError(
        f"The token of the context {context} has characters that no token has",
        remedy="Write it into the kubeconfig or the token's file again, without line ends.",
    )


def bad_authority(context: str, error: Exception) -> ConfigurationError:
    """Return the error where the CA certificates cannot be used."""
    return ConfigurationError(
        f"The CA certificates of the context {context} could not be used: {tls_words(error)}",
        remedy="Correct certificate-authority or certificate-authority-data in the kubeconfig.",
    )


def bad_certificate(context: str, error: Exception) -> ConfigurationError:
    """Return the error where the client's certificate or key cannot be used."""
    return ConfigurationError(
        f"The client certificate of the context {context} could not be used: {tls_words(error)}",
        remedy="Correct client-certificate and client-key in the kubeconfig: PEM, the key"
        " unencrypted.",
    )


def unknown_proxy(context: str, proxy: SplitResult, schemes: Sequence[str]) -> ConfigurationError:
    """Return the error where the proxy is of a kind that is not spoken here."""
    return ConfigurationError(
        f"The way of the context {context} leads through a proxy of the kind"
        f" {proxy.scheme or 'unknown'!r}",
        remedy=f"Proxies of these kinds can be used: {', '.join(schemes)}. Correct proxy-url in the"
        " kubeconfig or HTTPS_PROXY.",
    )
