"""The words for what can go wrong on the way into the mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.api import (
    ErlconnectError,
    RefusedError,
    TimedOutError,
    UnreachableError,
    certificate_remedy,
    tls_words,
)

if TYPE_CHECKING:
    import ssl

    from erlconnect_backends.consul_catalogue.connect_tls import WrongIdentityError


def words_of_denial(source: str, destination: str) -> str:
    """Say that an intention denies it."""
    return f"Consul's intentions do not let {source} connect to {destination}"


def denied(source: str, destination: str) -> RefusedError:
    """Fail because an intention denies it."""
    return RefusedError(
        words_of_denial(source, destination),
        remedy=f"Allow it with `consul intention create -allow {source} {destination}`, or connect"
        " as a service that may, with -o transport.source=.",
    )


def refused_certificate(where: str, source: str, destination: str, why: str) -> RefusedError:
    """Fail because the sidecar did not take our certificate, and the intentions do not say why."""
    return RefusedError(
        f"{where} did not take the certificate of {source}: {why}",
        remedy=f"Look at `consul intention check {source} {destination}` and into the sidecar's"
        " log; right after a new CA a sidecar may need some seconds.",
    )


def wrong_identity(where: str, expected: str, error: WrongIdentityError) -> RefusedError:
    """Fail because another service answered; nothing was sent to it."""
    return RefusedError(
        f"{where} proved to be {error} and not {expected}; nothing was sent to it",
        remedy="Another proxy listens where this sidecar is registered: correct the registration"
        " of the sidecar, or end the other one.",
    )


def untrusted(where: str, error: ssl.SSLCertVerificationError) -> RefusedError:
    """Fail because the certificate is not this mesh's; nothing was sent."""
    return RefusedError(
        f"{where} showed a certificate that this mesh does not trust:"
        f" {tls_words(error)}; nothing was sent to it",
        remedy=certificate_remedy(
            error,
            "Check that the agent belongs to the service's cluster (-o transport.address=); a"
            " sidecar that has missed a new CA has to be restarted.",
        ),
    )


def no_tls(where: str, error: OSError) -> UnreachableError:
    """Fail because the handshake broke for any other reason."""
    return UnreachableError(
        f"{where} took the connection and ended the TLS handshake: {tls_words(error)}",
        remedy="Check that the service runs and listens behind its sidecar, and look into the"
        " sidecar's log.",
    )


def unreachable(where: str, error: OSError, *, remedy: str) -> UnreachableError:
    """Fail because there is no connection."""
    return UnreachableError(f"{where} could not be reached: {tls_words(error)}", remedy=remedy)


def silent(where: str, seconds: float) -> TimedOutError:
    """Fail because it took too long."""
    return TimedOutError(
        f"{where} did not answer within {seconds:g} s",
        remedy="Check that this machine has a way to that address (a VPN? a firewall?), or go"
        " through a proxy that has one, with -o transport.upstream=HOST:PORT.",
    )


def no_sidecar(destination: str, port: int, others: list[int]) -> UnreachableError:
    """Fail because no sidecar leads to ``port``."""
    if others:
        return UnreachableError(
            f"The sidecars of {destination} lead to its port {', '.join(map(str, others))} and"
            f" not to port {port}",
            remedy="The mesh leads to registered ports alone: register the distribution port of"
            " the node as the service's port.",
        )
    return UnreachableError(
        f"Consul knows no sidecar of {destination} that passes its checks",
        remedy=f"Register the service with connect = {{ sidecar_service = {{}} }} and run its"
        f" proxy, or look at its checks: `curl .../v1/health/connect/{destination}`. A token that"
        " may not read it sees none, too.",
    )


def wrong_port(destination: str, reached: int, port: int) -> UnreachableError:
    """Fail because the mesh leads to one port of the service."""
    return UnreachableError(
        f"Through the mesh {destination or 'the service'} is its port {reached} alone; port"
        f" {port} cannot be reached",
        remedy="Register the distribution port of the node as the service's port; epmd is not"
        " needed then.",
    )


def on_the_way(error: ErlconnectError, way: str) -> ErlconnectError:
    """Add which way was taken, and why that one."""
    return type(error)(f"{error.message} ({way})", remedy=error.remedy)
