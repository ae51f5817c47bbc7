"""The failures of a handshake, as errors with a message and a remedy for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.distribution.handshake_messages import StatusKind
from erlconnect.errors import (
    AnotherNodeError,
    ErlconnectError,
    LocalCookieError,
    LocalNodeError,
    NameInUseError,
    NotAllowedError,
    NotDistributionError,
    RefusedError,
    RemoteCookieError,
    TimedOutError,
    UnreachableError,
)
from erlconnect.proxy.frame_stream import PeerError, TlsSpokenError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ONLY_NODES: Final = "Check what connects to the alias: only Erlang nodes can."


def peer_error(error: PeerError, where: str, transport_words: str = "") -> ErlconnectError:
    """Explain that one side sent no handshake, or closed in the middle of it.

    ``transport_words`` are the reason that the transport has for the end; empty without one.
    """
    # First: a transport that failed looks like a node that closed, and only it knows why.
    if transport_words:
        return UnreachableError(
            f"{where} is out of reach: {transport_words}",
            remedy="This is what the transport says; correct that first.",
        )
    if isinstance(error, TlsSpokenError):
        return tls_missing(where) if error.peer == "remote" else local_tls()
    if error.peer == "local":
        return LocalNodeError(
            f"the local node broke off the handshake: {error}", remedy=_ONLY_NODES
        )
    return NotDistributionError(
        f"{where} does not speak the Erlang distribution: {error}",
        remedy="Check that the port is the distribution port, not epmd's or a web server's; "
        "without `-o dist-port=` the remote epmd is asked for it.",
    )


def tls_missing(where: str) -> NotDistributionError:
    """Explain that the node expects TLS, which is not configured for it."""
    return NotDistributionError(
        f"{where} speaks the distribution over TLS (-proto_dist inet_tls)",
        remedy="Have TLS spoken to it with `-o transport.tls-ca=`, the certificates that vouch for "
        "it; if it asks for one, `-o transport.tls-cert=` and `-o transport.tls-key=`.",
    )


def local_tls() -> LocalNodeError:
    """Explain that the local node speaks TLS, and the alias has no certificate."""
    return LocalNodeError(
        "the local node speaks the distribution over TLS (-proto_dist inet_tls)",
        remedy="Start it without that, as the alias is on this machine alone; or give the alias "
        "a certificate with `-o local-tls-cert=` and `-o local-tls-key=`.",
    )


def local_name_unusable(why: str) -> LocalNodeError:
    """Explain that the name in the local ``send_name`` is not a valid node name."""
    return LocalNodeError(f"the local node was not let in: {why}", remedy=_ONLY_NODES)


def local_node_silent(message: str, seconds: float) -> LocalNodeError:
    """Explain that the local side did not send its next message in time (seconds)."""
    return LocalNodeError(
        f"the local node did not send its {message} within {seconds:g} s", remedy=_ONLY_NODES
    )


def gave_up_waiting(local_node: str) -> LocalNodeError:
    """Explain that a local node had closed its connection before it was handled."""
    return LocalNodeError(
        f"{local_node} has given up waiting for an answer: its connection was over when it was "
        "looked at",
        # 7 s is the default of the kernel parameter `net_setuptime`.
        remedy="A node waits 7 s. If this machine or this session slept meanwhile, connect again.",
    )


def no_connection(where: str, seconds: float) -> TimedOutError:
    """Explain that the target did not accept a connection in time (seconds)."""
    return TimedOutError(
        f"{where} did not accept a connection within {round(seconds, 1):g} s",
        remedy="Check that the node runs and that this machine has a way to its address; a private "
        "network is joined by a VPN, or gone into by a command inside with `--via`.",
    )


def no_answer(where: str, message: str, seconds: float) -> TimedOutError:
    """Explain that the peer accepted the connection and sent nothing more in time (seconds)."""
    return TimedOutError(
        f"{where} accepted the connection, but its {message or 'answer'} did not come within "
        f"{round(seconds, 1):g} s",
        remedy="Try again; if it stays so, check that the port is the distribution port and "
        "that the node is not overloaded or suspended.",
    )


def status_refused(kind: StatusKind, caller_name: str, where: str) -> RefusedError:
    """Explain a status that ends the handshake: ``nok``, ``not_allowed`` or ``alive``."""
    # `nok`: a handshake with this name is in progress. `alive`: a connection is up. One remedy
    # fits both, because either way the name is taken.
    if kind is StatusKind.NOT_ALLOWED:
        return NotAllowedError(
            f"{where} does not allow the name {caller_name} (status not_allowed)",
            remedy="The remote node has an allow-list (net_kernel:allow/1), or it is too old or "
            "too new for the local one. Name an allowed caller with `--caller-name`.",
        )
    return NameInUseError(
        f"{where} already has a connection under the name {caller_name} (status {kind})",
        remedy="Try again in a minute, or end the other connection; `--caller-name` gives "
        "another name.",
    )


def old_handshake_refused(where: str, local_node: str) -> NotAllowedError:
    """Explain that the remote node closed after a ``send_name`` in the form used before OTP 23."""
    return NotAllowedError(
        f"{where} does not accept the old handshake with which {local_node} began: it closed the "
        "connection after send_name",
        remedy="OTP 23 and 24 speak it where `-erl_epmd_port` tells them the port, and OTP 25 "
        "refuses it. Start the local node without that flag, so that it asks epmd.",
    )


def releases_too_far_apart(where: str, local_node: str, missing: Sequence[str]) -> NotAllowedError:
    """Explain that the local node closed because the remote one lacks flags that it needs."""
    return NotAllowedError(
        f"{local_node} broke off the handshake: {where} has no {', '.join(missing)}, which a "
        "newer Erlang release refuses to be without",
        remedy="OTP 26 and later refuse OTP 23 and 24, with or without erlconnect. Start the local "
        "node from a release between the two, such as OTP 25.",
    )


def another_node(where: str, found: str) -> AnotherNodeError:
    """Explain that a node of another name now answers at the target's address and port."""
    return AnotherNodeError(
        f"{where} was expected, but {found} answers there now",
        remedy="Connect again: the target is looked for anew. If it is gone for good, restart.",
    )


def local_cookie_wrong(local_node: str, origin: str) -> LocalCookieError:
    """Explain that the local node's digest is not that of the local cookie."""
    return LocalCookieError(
        f"{local_node} does not know the local cookie ({origin}); nothing was sent to the "
        "remote node",
        remedy="Start the local node with that cookie, which it has by default, or name its "
        "cookie's file with `--local-cookie-file`.",
    )


def remote_cookie_rejected(where: str, origin: str, seen: str) -> RemoteCookieError:
    """Explain that the remote node closed after challenge_reply, or that its ack is wrong."""
    return RemoteCookieError(
        f"{where} rejected the cookie ({origin}): {seen}",
        remedy="Name the source of the remote node's cookie with `--cookie-from`.",
    )


def passed_cookie_rejected(where: str) -> RemoteCookieError:
    """Explain that the remote node closed after the local node's own challenge_reply."""
    return RemoteCookieError(
        f"{where} rejected the cookie (the local node's own, by passthrough): it closed the "
        "connection after challenge_reply",
        remedy="With passthrough both nodes need the same cookie: start the local node with the "
        "remote one's, or name the source of the latter with `--cookie-from`.",
    )
