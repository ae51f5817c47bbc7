"""TLS of the mesh without its proxies: the handshake, and who answered it.

Knows how leaf certificates and roots become a client's context and how a service proves its
identity: the URI in its certificate. Refuses to know where certificates come from and what is
done with the stream. SPIFFE: https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from erlconnect_backends.sockets import readable_within

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

_PIECE_BYTES: Final = 64 * 1024
# A server that denies says so right after the handshake, one that agrees mostly sends a ticket.
_VERDICT_SECONDS: Final = 0.25
_CLOSED_AT_ONCE: Final = "closed during or right after the TLS handshake"


class WrongIdentityError(Exception):
    """The certificate is of this mesh and not of the service that was meant."""

    def __init__(self, found: tuple[str, ...]) -> None:
        super().__init__(", ".join(found) or "no identity")


@dataclass(slots=True, kw_only=True)
class Tls:
    """A TLS session without a socket. ``early`` is the first of what came with the verdict."""

    object: ssl.SSLObject
    incoming: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    outgoing: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    early: bytes = b""


def client_context(*, certificate: str, private_key: str, roots: Iterable[str]) -> ssl.SSLContext:
    """Give a context that shows ``certificate`` and trusts ``roots`` alone; all are PEM texts.

    Names are not looked at: ``handshake`` checks the identity. Raises ``ssl.SSLError``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Before 3.11.4 Python takes a connection that is cut off for one that was closed in order:
    # https://github.com/python/cpython/issues/95494
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.check_hostname = False
    context.load_verify_locations(cadata="\n".join(roots))
    # The library takes files only; this one has no name and goes with its descriptor.
    with tempfile.TemporaryFile() as file:
        file.write(f"{certificate}\n{private_key}".encode())
        file.flush()
        context.load_cert_chain(f"/dev/fd/{file.fileno()}")
    return context


async def handshake(wire: socket.socket, context: ssl.SSLContext, *, identity: str) -> Tls:
    """Shake hands with the server behind ``wire``, which stays the caller's, and hear its verdict.

    Under TLS 1.3 a client is done before the server has judged its certificate. Raises
    ``WrongIdentityError`` before anything else is said to a server that is not ``identity``,
    ``ssl.SSLError`` (also where the server denies) and ``OSError``.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = Tls(object=context.wrap_bio(incoming, outgoing), incoming=incoming, outgoing=outgoing)
    while not _shaken(tls):
        await _send_pending(wire, tls)
        await _receive(wire, tls)
    found = _identities(tls.object)
    if identity.casefold() not in (one.casefold() for one in found):
        raise WrongIdentityError(found)
    await _send_pending(wire, tls)
    if await readable_within(wire, _VERDICT_SECONDS):
        await _receive(wire, tls)
        tls.early = _first_piece(tls)
    return tls


def _first_piece(tls: Tls) -> bytes:
    try:
        piece = tls.object.read(_PIECE_BYTES)
    except ssl.SSLWantReadError:
        return b""
    if not piece:
        raise ConnectionResetError(_CLOSED_AT_ONCE)
    return piece


def _shaken(tls: Tls) -> bool:
    try:
        tls.object.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


async def _send_pending(wire: socket.socket, tls: Tls) -> None:
    if tls.outgoing.pending:
        await asyncio.get_running_loop().sock_sendall(wire, tls.outgoing.read())


async def _receive(wire: socket.socket, tls: Tls) -> None:
    data = await asyncio.get_running_loop().sock_recv(wire, _PIECE_BYTES)
    if not data:
        raise ConnectionResetError(_CLOSED_AT_ONCE)
    tls.incoming.write(data)


def _identities(tls: ssl.SSLObject) -> tuple[str, ...]:
    certificate = tls.getpeercert() or {}
    names = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
    return tuple(value for kind, value in names if kind == "URI")
