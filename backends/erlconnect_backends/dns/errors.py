"""The errors of DNS: what was asked, who was asked, what came back, and what to do about it.

A ``ServerFailure`` is what one server came to. It becomes a part of the error of a lookup, which
names every server that was asked. Which failure is final is decided in ``resolver``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    NoNodeFoundError,
    UsageError,
)
from erlconnect.net.sockets import os_error_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from erlconnect_backends.dns.resolver import Kind, Question
    from erlconnect_backends.do53 import ServerAddress

_MAX_LISTED: Final = 3
_OTHER_SERVER: Final = "name another server with -o server=HOST[:PORT]"
_REMEDIES: Final = {
    "SERVFAIL": "The server has the name's zone in its charge and cannot answer for it now."
    f" Try again, look into the server's log, or {_OTHER_SERVER}.",
    "REFUSED": "The server does not answer for this name, or not to this machine:"
    f" check the name, or {_OTHER_SERVER}.",
}


class ServerFailure(Exception):  # noqa: N818 - it becomes a part of an error that has all of them
    """Why one server gave no usable answer; ``silent`` where it did not answer in time."""

    def __init__(self, words: str, *, remedy: str, silent: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.remedy = remedy
        self.silent = silent


def code_failure(code: str) -> ServerFailure:
    """Return the failure of a server that answered with ``code`` and no records."""
    return ServerFailure(f"answered {code}", remedy=_REMEDIES.get(code, _or_other("Try again")))


def unusable_answer(what: str) -> ServerFailure:
    """Return the failure of a server whose answer cannot be used."""
    return ServerFailure(
        f"gave an unusable answer ({what})",
        remedy=_or_other("Check that a name server listens there, ask over TCP with -o tcp=true"),
    )


def timeout_failure(protocol: str) -> ServerFailure:
    """Return the failure of a server that did not answer; ``protocol`` is UDP or TCP."""
    # The hint is of no use where TCP was used already.
    other = ", ask over TCP with -o tcp=true" if protocol == "UDP" else ""
    remedy = _or_other(f"Check that the server can be reached (a VPN? a firewall?){other}")
    return ServerFailure(f"did not answer over {protocol} in time", remedy=remedy, silent=True)


def broken_connection(protocol: str, error: OSError | EOFError) -> ServerFailure:
    """Return the failure of a server without a connection; ``protocol`` is UDP or TCP."""
    why = "it hung up without an answer"
    if isinstance(error, OSError):
        why = os_error_text(error)
    return ServerFailure(
        f"could not be asked over {protocol}: {why}",
        remedy=_or_other("Check the server's address and port"),
    )


def no_answer(
    question: Question, failures: Mapping[ServerAddress, ServerFailure]
) -> LookupFailedError:
    """Return the error of a lookup that no server answered, with the failure of each."""
    # A server that answered comes before silent ones: its remedy says more.
    first = min(failures.values(), key=lambda failure: failure.silent)
    words = "; ".join(f"{server.text} {each.words}" for server, each in failures.items())
    error = LookupTimeoutError if first.silent else LookupFailedError
    return error(f"Asked for {question}: {words}", remedy=first.remedy)


def alias_loop(question: Question, server: str) -> LookupFailedError:
    """Return the error where aliases (CNAME) do not end."""
    return LookupFailedError(
        f"Asked for {question}: {server} gave a chain of aliases (CNAME) that does not end",
        remedy="Correct the CNAME records, or name the service that they are meant to lead to.",
    )


def no_such_name(question: Question, name: str, server: str) -> NameNotFoundError:
    """Return the error where ``name``, the queried name or its alias, does not exist."""
    alias = "" if name.lower() == question.name.lower() else f", an alias of {name},"
    return NameNotFoundError(
        f"Asked for {question}: {server} says that this name{alias} does not exist (NXDOMAIN)",
        remedy="Check the spelling, and write the whole name: search domains are not tried."
        f" If only another network's DNS knows it, {_OTHER_SERVER}.",
    )


def no_records(name: str, kinds: Sequence[Kind], server: str) -> NoNodeFoundError:
    """Return the error where ``name`` exists and has none of the records."""
    return NoNodeFoundError(
        f"Asked for {' and '.join(kinds)} of {name}: {server} says that the name exists and has"
        f" no such record",
        remedy="Check that the service has instances that are ready. In Kubernetes it has to be"
        " headless, and _PORT._TCP. before the name asks for a port by its name."
        " -o record= chooses another kind of record.",
    )


def not_available(name: str, server: str) -> NoNodeFoundError:
    """Return the error where the SRV record has the target "." (RFC 2782: not available)."""
    return NoNodeFoundError(
        f"Asked for SRV {name}: {server} says that the service is not available there"
        " (the record's target is '.')",
        remedy="Ask for another service, or correct the record.",
    )


def no_node_name(target: str, error: ValueError) -> NoNodeFoundError:
    """Return the error for a target whose name no node can have."""
    return NoNodeFoundError(
        f"{target} cannot be the host of a node: {error}", remedy="Correct the SRV record."
    )


def unusable_addresses(name: str, addresses: Iterable[str], server: str) -> NoNodeFoundError:
    """Return the error where all addresses are such that no host can have."""
    return NoNodeFoundError(
        f"Asked for the address of {name}: {server} gave {', '.join(addresses)},"
        " where nobody can be reached",
        remedy=_or_other("Find out who blocks the name or left it without an address"),
    )


def none_left(name: str, reasons: Mapping[str, ErlconnectError]) -> ErlconnectError:
    """Return the error where no SRV target can be used; a failed lookup comes before the rest."""
    errors = sorted(reasons.values(), key=lambda error: not isinstance(error, LookupFailedError))
    if isinstance(errors[0], LookupFailedError):
        return errors[0]
    return NoNodeFoundError(
        f"Asked for SRV {name}: it has {len(reasons)} targets and no usable address."
        f" {skipped(reasons)}",
        remedy="Correct the SRV records, or add the addresses of their targets.",
    )


def no_dns_name(text: str, why: str) -> UsageError:
    """Return the error for a TARGET that cannot be looked up."""
    return UsageError(
        f"TARGET {text!r} is no name that DNS could know: {why}",
        remedy="Give the whole name of a service, for example shop.staging.svc.cluster.local or"
        " _epmd._tcp.shop.example; a node whose name and address you know is"
        " -b fixed name@address.",
    )


def skipped(reasons: Mapping[str, ErlconnectError]) -> str:
    """Return the warning that targets of SRV records are left out, and why."""
    return "Left out targets of SRV records without a usable address: " + _listed(
        [f"{host} ({error.message})" for host, error in reasons.items()]
    )


def incomplete(notes: Sequence[str]) -> str:
    """Return the warning that lookups failed of hosts that have addresses of the other kind."""
    return "Some addresses could not be looked up: " + _listed(notes)


def _listed(what: Sequence[str]) -> str:
    more = len(what) - _MAX_LISTED
    return "; ".join([*what[:_MAX_LISTED], *([f"and {more} more"] if more > 0 else [])])


def _or_other(first: str) -> str:
    return f"{first}, or {_OTHER_SERVER}."
