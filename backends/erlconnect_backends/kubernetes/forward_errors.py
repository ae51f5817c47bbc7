"""The errors of port-forwards, for ``port_forward``, ``tunnel_pool`` and ``kubectl``.

What an API server may answer to any request is in ``errors``; ``as_transport`` makes an error of a
transport of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    NoNodeFoundError,
    RefusedError,
    TimedOutError,
    UnreachableError,
)
from erlconnect_backends.kubernetes import errors
from erlconnect_backends.kubernetes.access_review import PORT_FORWARD
from erlconnect_backends.kubernetes.api_client import ApiCall

if TYPE_CHECKING:
    from erlconnect_backends.kubernetes.port_forward import PodEndpoint

_MAX_CAUSE: Final = 200
_LOOPBACK_ONLY: Final = (
    "Check that the node runs and listens there. A port-forward reaches only what listens on"
    " loopback in the pod (127.0.0.1 or ::1) or everywhere: for a node that is bound to the pod's"
    " address, use --transport direct from inside the cluster's network, or --via with a program"
    " that leads there."
)


class ClosedPortError(UnreachableError):
    """The pod was reached, and nothing listens on the port."""


class NoWebSocketError(UnreachableError):
    """The server, or something before it, opens no websockets; ``error`` is the one to show."""

    def __init__(self, error: ErlconnectError) -> None:
        super().__init__(error.message, remedy=error.remedy)
        self.error = error


def purpose(endpoint: PodEndpoint, port: int) -> str:
    """Return what was asked for, for a message."""
    return f"a port-forward to port {port} of pod {endpoint}"


def closed_port(endpoint: PodEndpoint, port: int, said: str) -> ClosedPortError:
    """Return the error for a port on which nothing listens, with the kubelet's text."""
    return ClosedPortError(
        f"Port {port} of pod {endpoint} could not be reached: {errors.shown(_cause(said))}",
        remedy=_LOOPBACK_ONLY,
    )


def kubectl_failed(endpoint: PodEndpoint, port: int, said: str) -> UnreachableError:
    """Return the error where kubectl gave up before it led anywhere."""
    return UnreachableError(
        f"kubectl port-forward to port {port} of pod {endpoint} ended: {errors.shown(said)}",
        remedy="Run it by hand to see what it lacks.",
    )


def asked_for(endpoint: PodEndpoint, port: int) -> ApiCall:
    """Return the same with the rights that it needs."""
    return ApiCall(
        what=purpose(endpoint, port),
        namespace=endpoint.namespace,
        rights=tuple(sorted(PORT_FORWARD)),
    )


def no_websocket(endpoint: PodEndpoint, port: int, words: str) -> UnreachableError:
    """Return the error where the server, or something before it, cannot do it at all."""
    return UnreachableError(
        f"Asked for {purpose(endpoint, port)}: the API server {endpoint.access.server}, or a proxy"
        f" before it, opens no websocket: {errors.shown(words)}",
        remedy="Let the proxy pass websockets on, or install kubectl, which is used then.",
    )


def as_transport(error: ErlconnectError) -> ErlconnectError:
    """Return an error of ``errors``, which are those of lookups, as the error of a transport."""
    if isinstance(error, LookupTimeoutError):
        return TimedOutError(error.message, remedy=error.remedy)
    if isinstance(error, LookupFailedError | NoNodeFoundError):
        return UnreachableError(error.message, remedy=error.remedy)
    return error


def silent(endpoint: PodEndpoint, port: int, seconds: float) -> TimedOutError:
    """Return the error where the websocket did not open, or its port was not announced."""
    error = errors.silence(endpoint.access, purpose(endpoint, port), seconds)
    return TimedOutError(error.message, remedy=error.remedy)


def unreachable(endpoint: PodEndpoint, port: int, error: OSError) -> ErlconnectError:
    """Return the error where there is no connection to the API server."""
    return as_transport(errors.unreachable(endpoint.access, purpose(endpoint, port), error))


def both(first: ErlconnectError, second: ErlconnectError) -> ErlconnectError:
    """Return the error where the websocket was refused and kubectl did not get through, either."""
    kind = RefusedError if isinstance(first, RefusedError) else type(second)
    return kind(
        f"{first.message}. {second.message}",
        remedy=first.remedy if isinstance(first, RefusedError) else second.remedy,
    )


def _cause(said: str) -> str:
    """Return the cause, which a kubelet puts after names and folders."""
    before, both_families, after = said.partition("IPv4: ")
    return both_families + after if both_families else before[-_MAX_CAUSE:]
