"""The words for what can go wrong on the way to a pod's port.

What an API server can answer to any request stands in ``failures``; here it becomes an error of a
transport.
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
    """The way led to the pod, and nobody listens on the port."""


class NoWebSocketError(UnreachableError):
    """The server, or something before it, opens no websockets; ``error`` says it to people."""

    def __init__(self, error: ErlconnectError) -> None:
        super().__init__(error.message, remedy=error.remedy)
        self.error = error


def asked(place: PodEndpoint, port: int) -> str:
    """Say what was asked for."""
    return f"a port-forward to port {port} of pod {place}"


def closed_port(place: PodEndpoint, port: int, said: str) -> ClosedPortError:
    """Fail because nobody listens there, as the kubelet says."""
    return ClosedPortError(
        f"Port {port} of pod {place} could not be reached: {errors.shown(_cause(said))}",
        remedy=_LOOPBACK_ONLY,
    )


def kubectl_failed(place: PodEndpoint, port: int, said: str) -> UnreachableError:
    """Fail because kubectl gave up before it led anywhere."""
    return UnreachableError(
        f"kubectl port-forward to port {port} of pod {place} ended: {errors.shown(said)}",
        remedy="Run it by hand to see what it lacks.",
    )


def asked_for(place: PodEndpoint, port: int) -> ApiCall:
    """Say it with the rights that it needs."""
    return ApiCall(
        what=asked(place, port),
        namespace=place.namespace,
        rights=tuple(sorted(PORT_FORWARD)),
    )


def no_websocket(place: PodEndpoint, port: int, words: str) -> UnreachableError:
    """Fail because the server, or something before it, cannot do it at all."""
    return UnreachableError(
        f"Asked for {asked(place, port)}: the API server {place.access.server}, or a proxy before"
        f" it, opens no websocket: {errors.shown(words)}",
        remedy="Let the proxy pass websockets on, or install kubectl, which is used then.",
    )


def as_transport(error: ErlconnectError) -> ErlconnectError:
    """Return what ``failures`` say of a lookup as the error of a transport."""
    if isinstance(error, LookupTimeoutError):
        return TimedOutError(error.message, remedy=error.remedy)
    if isinstance(error, LookupFailedError | NoNodeFoundError):
        return UnreachableError(error.message, remedy=error.remedy)
    return error


def silent(place: PodEndpoint, port: int, seconds: float) -> TimedOutError:
    """Fail because the websocket did not open, or its port was not announced."""
    error = errors.silence(place.access, asked(place, port), seconds)
    return TimedOutError(error.message, remedy=error.remedy)


def unreachable(place: PodEndpoint, port: int, error: OSError) -> ErlconnectError:
    """Fail because there is no connection to the API server."""
    return as_transport(errors.unreachable(place.access, asked(place, port), error))


def both(first: ErlconnectError, second: ErlconnectError) -> ErlconnectError:
    """Fail because the websocket was refused and kubectl did not get through, either."""
    kind = RefusedError if isinstance(first, RefusedError) else type(second)
    return kind(
        f"{first.message}. {second.message}",
        remedy=first.remedy if isinstance(first, RefusedError) else second.remedy,
    )


def _cause(said: str) -> str:
    """Return the end of what a kubelet says, where the cause stands behind names and folders."""
    before, both_families, after = said.partition("IPv4: ")
    return both_families + after if both_families else before[-_MAX_CAUSE:]
