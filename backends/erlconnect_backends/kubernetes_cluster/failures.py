"""The words for what can go wrong with an API server: what was asked, and what came back.

Refuses to decide when; ``rest`` does.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    RefusedError,
    certificate_remedy,
    redact,
    tls_words,
)

if TYPE_CHECKING:
    from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess

_MAX_SHOWN: Final = 300
_NOT_PRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa1-\U0010ffff]+")


def shown(text: str) -> str:
    """Give the beginning of what came back on one line, without secrets."""
    line = redact(_NOT_PRINTABLE.sub(" ", text).strip())
    return line if len(line) <= _MAX_SHOWN else f"{line[:_MAX_SHOWN]}..."


def _where(access: ClusterAccess) -> str:
    return f"the API server {access.server} (context {access.context})"


def silence(access: ClusterAccess, what: str, seconds: float) -> LookupTimeoutError:
    """Fail because no answer came in time."""
    return LookupTimeoutError(
        f"Asked for {what}: {_where(access)} did not answer within {seconds:g} s",
        remedy="Check that it can be reached (a VPN? a firewall? a proxy?), and try again.",
    )


def unreachable(access: ClusterAccess, what: str, error: OSError) -> LookupFailedError:
    """Fail because there is no connection, or it broke."""
    if isinstance(error, ssl.SSLError):
        return _tls_refused(access, what, error)
    why = error.strerror or str(error)
    if error.errno and not isinstance(error, socket.gaierror):
        # asyncio words a refused connection in its own way.
        why = os.strerror(error.errno)
    return LookupFailedError(
        f"Asked for {what}: {_where(access)} could not be reached: {why}",
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
    """Fail because the answer is no HTTP, no JSON, or not whole."""
    return LookupFailedError(
        f"Asked for {what}: the answer of {_where(access)} is not an API server's",
        remedy="Check the `server` in the kubeconfig, and whether a proxy answers in its place.",
    )


def not_logged_in(access: ClusterAccess, what: str, said: str) -> RefusedError:
    """Fail because the server does not know who asks."""
    return RefusedError(
        f"Asked for {what}: {_where(access)} does not accept the credentials"
        f" (401{f': {shown(said)}' if said else ''})",
        remedy="Log in again by the cluster's own program; `kubectl get pods` has to work.",
    )


def answered(
    access: ClusterAccess, what: str, status: int, said: str, *, pause: float | None = None
) -> ErlconnectError:
    """Give the error for a status that nothing else stands for.

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
        return LookupFailedError(message, remedy="Try again; if it stays so, the server is ill.")
    return LookupFailedError(message, remedy="Check what was asked for with `kubectl`.")


def forbidden(
    access: ClusterAccess, what: str, said: str, *, missing: str, namespace: str, role: str
) -> RefusedError:
    """Fail because a right is missing; ``role`` gives it and the others that are needed."""
    return RefusedError(
        f"Asked for {what}: {_where(access)} does not allow to {missing} in the namespace"
        f" {namespace} (403{f': {shown(said)}' if said else ''})",
        remedy="Somebody who may can give you this Role by `kubectl apply -f -`, and bind it by"
        f" `kubectl create rolebinding erlconnect -n {namespace} --role=erlconnect --user=YOU`:"
        f"\n\n{role}",
    )
