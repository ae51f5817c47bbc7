"""The errors of Consul: what was asked, who was asked, what came back, and what to do about it.

First those of the agent's HTTP API, then those of connections into the service mesh, and the ACL
rules that remedies name. When an error is final is decided elsewhere.

Rules: https://developer.hashicorp.com/consul/docs/security/acl/acl-rules
"""

from __future__ import annotations

import json
import re
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    RefusedError,
    TimedOutError,
    UnreachableError,
    UsageError,
    certificate_remedy,
    redact,
    tls_words,
)
from erlconnect.net.sockets import os_error_text

if TYPE_CHECKING:
    from erlconnect_backends.consul.access import Access, AgentAddress
    from erlconnect_backends.consul.connect_native import WrongIdentityError

_MAX_SHOWN: Final = 200
_NOT_PRINTABLE: Final = re.compile(r"[^\x21-\x7e\xa1-\U0010ffff]+")
_CHECK_ADDRESS: Final = "Check -o address= or CONSUL_HTTP_ADDR"
# Consul tells these apart by its words alone: most come with the status 500.
_REMEDIES: Final = (
    (
        "no path to datacenter",
        LookupFailedError,
        "Correct -o datacenter=; `consul catalog datacenters` lists those that there are.",
    ),
    (
        "leader",
        LookupFailedError,
        "There is no leader now: try again, or see `consul operator raft list-peers`.",
    ),
    ("boolean expression", UsageError, "Correct -o filter=, e.g. 'Service.Meta.app == shop'."),
    ("namespace", UsageError, "Leave out -o namespace= and CONSUL_NAMESPACE."),
    ("https server", LookupFailedError, f"{_CHECK_ADDRESS}: write https:// before it."),
)


class StatusError(Exception):
    """The agent answered with this HTTP status; ``said`` is its answer."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status
        self.said = said

    @property
    def shown(self) -> str:
        """The status and the beginning of the answer, for people."""
        return f"{self.status} ({printable(self.said)})" if self.said.strip() else str(self.status)


def printable(text: str) -> str:
    """Return the beginning of what came back on one line, without secrets."""
    # Redacted before it is cut: the beginning of a secret would not be recognised.
    line = redact(_NOT_PRINTABLE.sub(" ", text).strip())
    return line if len(line) <= _MAX_SHOWN else f"{line[:_MAX_SHOWN]}..."


def unreachable(address: AgentAddress, error: OSError) -> LookupFailedError:
    """Return the error where there is no connection to the agent, or it broke."""
    return LookupFailedError(
        f"Consul at {address} could not be asked: {os_error_text(error)}",
        remedy=f"Start an agent there (`consul agent`), or name another. {_CHECK_ADDRESS}.",
    )


def timed_out(address: AgentAddress, seconds: float) -> LookupTimeoutError:
    """Return the error where the agent did not answer in time."""
    return LookupTimeoutError(
        f"Consul at {address} did not answer within {seconds:g} s",
        remedy=f"Check that the agent can be reached (a VPN? a firewall?). {_CHECK_ADDRESS}.",
    )


def tls_refused(address: AgentAddress, error: ssl.SSLError) -> LookupFailedError:
    """Return the error where a certificate was refused, or one side does not speak TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return LookupFailedError(
            f"Consul at {address} showed a certificate that is not trusted: {tls_words(error)}",
            remedy=certificate_remedy(
                error,
                "Name the agent's CA with -o ca-file= or CONSUL_CACERT, and the name that its"
                " certificate is for with -o tls-server-name= (often server.dc1.consul).",
            ),
        )
    reason = tls_words(error)
    # OpenSSL reads plain HTTP as a TLS record, and reports a wrong version number.
    if "wrong version" in reason:
        remedy = f"The port seems to speak plain HTTP. {_CHECK_ADDRESS}: http:// or https://."
    else:
        remedy = (
            "If the agent asks for a certificate, name one with -o client-cert= and -o client-key=."
        )
    return LookupFailedError(f"TLS with Consul at {address} failed: {reason}", remedy=remedy)


def no_http(address: AgentAddress) -> LookupFailedError:
    """Return the error where what came back is no HTTP answer, or not a whole one."""
    return LookupFailedError(
        f"What answered at {address} does not speak HTTP, or stopped in the middle of its answer",
        remedy=f"{_CHECK_ADDRESS}: it has to be the agent's HTTP port (8500), or its HTTPS port"
        " with https:// before it.",
    )


def no_consul(address: AgentAddress) -> LookupFailedError:
    """Return the error where HTTP came back, but not in Consul's form."""
    return LookupFailedError(
        f"What answered at {address} is no Consul agent: the answer is not in Consul's form",
        remedy=f"{_CHECK_ADDRESS}.",
    )


def too_long(address: AgentAddress) -> LookupFailedError:
    """Return the error where the answer does not end."""
    return LookupFailedError(
        f"Consul at {address} gave a longer answer than can be meant for this",
        remedy=f"{_CHECK_ADDRESS}, and narrow the search with -o filter= or -o tag=.",
    )


def error_for_status(
    access: Access, what: str, error: StatusError, *, right: str
) -> ErlconnectError:
    """Return the error for an answer that is not the one that was asked for.

    ``what`` was asked for, ``right`` is the ACL rule that it needs.
    """
    message = f"Asked for {what}: Consul at {access.address} answered {error.shown}"
    said = error.said.lower()
    if error.status == HTTPStatus.FORBIDDEN:
        return RefusedError(message, remedy=_rights(access, right, said))
    for words, kind, remedy in _REMEDIES:
        if words in said:
            return kind(message, remedy=remedy)
    return LookupFailedError(message, remedy="Look into the agent's log: `consul monitor`.")


def _rights(access: Access, right: str, said: str) -> str:
    # Consul answers 403 for an unknown token as for a missing right.
    if "acl not found" in said and access.token:
        return (
            "This Consul does not know the token: it was deleted, has expired, or is another"
            " cluster's. Check -o token-file=, CONSUL_HTTP_TOKEN_FILE and CONSUL_HTTP_TOKEN."
        )
    if access.token:
        return f"The token lacks a right. It needs a policy with: {right}"
    return f"Nothing gave a token. Name one with -o token-file=; it needs a policy with: {right}"


def read_rule(resource: str, name: str) -> str:
    """Return the rule that lets ``name`` be read, and nothing else."""
    return f'{resource} {json.dumps(name)} {{ policy = "read" }}'


def denial_words(source: str, destination: str) -> str:
    """Return the words for a connection that an intention denies."""
    return f"Consul's intentions do not let {source} connect to {destination}"


def denied(source: str, destination: str) -> RefusedError:
    """Return the error where an intention denies it."""
    return RefusedError(
        denial_words(source, destination),
        remedy=f"Allow it with `consul intention create -allow {source} {destination}`, or connect"
        " as a service that may, with -o transport.source=.",
    )


def refused_certificate(where: str, source: str, destination: str, why: str) -> RefusedError:
    """Return the error where the sidecar refused our certificate and no intention says why."""
    return RefusedError(
        f"{where} did not take the certificate of {source}: {why}",
        remedy=f"Look at `consul intention check {source} {destination}` and into the sidecar's"
        " log; right after a new CA a sidecar may need some seconds.",
    )


def wrong_identity(where: str, expected: str, error: WrongIdentityError) -> RefusedError:
    """Return the error where another service answered; nothing was sent to it."""
    return RefusedError(
        f"{where} proved to be {error} and not {expected}; nothing was sent to it",
        remedy="Another proxy listens where this sidecar is registered: correct the registration"
        " of the sidecar, or end the other one.",
    )


def service_untrusted(where: str, error: ssl.SSLCertVerificationError) -> RefusedError:
    """Return the error where the certificate is not this mesh's; nothing was sent."""
    return RefusedError(
        f"{where} showed a certificate that this mesh does not trust:"
        f" {tls_words(error)}; nothing was sent to it",
        remedy=certificate_remedy(
            error,
            "Check that the agent belongs to the service's cluster (-o transport.address=); a"
            " sidecar that has missed a new CA has to be restarted.",
        ),
    )


def service_without_tls(where: str, error: OSError) -> UnreachableError:
    """Return the error where the handshake broke for any other reason."""
    return UnreachableError(
        f"{where} took the connection and ended the TLS handshake: {tls_words(error)}",
        remedy="Check that the service runs and listens behind its sidecar, and look into the"
        " sidecar's log.",
    )


def service_unreachable(where: str, error: OSError, *, remedy: str) -> UnreachableError:
    """Return the error where there is no connection."""
    return UnreachableError(f"{where} could not be reached: {tls_words(error)}", remedy=remedy)


def service_timed_out(where: str, seconds: float) -> TimedOutError:
    """Return the error where it took too long."""
    return TimedOutError(
        f"{where} did not answer within {seconds:g} s",
        remedy="Check that this machine has a way to that address (a VPN? a firewall?), or go"
        " through a proxy that has one, with -o transport.upstream=HOST:PORT.",
    )


def no_sidecar(destination: str, port: int, others: list[int]) -> UnreachableError:
    """Return the error where no sidecar leads to ``port``."""
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
    """Return the error where the mesh leads to one port of the service."""
    return UnreachableError(
        f"Through the mesh {destination or 'the service'} is its port {reached} alone; port"
        f" {port} cannot be reached",
        remedy="Register the distribution port of the node as the service's port; epmd is not"
        " needed then.",
    )


def with_mode(error: ErlconnectError, mode: str) -> ErlconnectError:
    """Return ``error`` with the mode that was chosen, and why it was."""
    return type(error)(f"{error.message} ({mode})", remedy=error.remedy)
