"""TLS of the mesh without its proxies: the handshake, and who answered it.

Knows how leaf certificates and roots become a client's context and how a service proves its
identity: the URI in its certificate. Refuses to know where certificates come from and what is
done with the stream. SPIFFE: https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Final, cast

from erlconnect.api import client_context as checking_context
from erlconnect.api import load_own_certificate, readable_within, tls_handshake

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterable

    from erlconnect.api import Tls

# A server that denies says so right after the handshake, one that agrees mostly sends a ticket.
_VERDICT_SECONDS: Final = 0.25


class WrongIdentityError(Exception):
    """The certificate is of this mesh and not of the service that was meant."""

    def __init__(self, found: tuple[str, ...]) -> None:
        super().__init__(", ".join(found) or "no identity")


def client_context(*, certificate: str, private_key: str, roots: Iterable[str]) -> ssl.SSLContext:
    """Give a context that shows ``certificate`` and trusts ``roots`` alone; all are PEM texts.

    Names are not looked at: ``handshake`` checks the identity. Raises ``ssl.SSLError``.
    """
    context = checking_context(authorities="\n".join(roots))
    context.check_hostname = False
    # The library takes files only; this one has no name and goes with its descriptor.
    with tempfile.TemporaryFile() as file:
        file.write(f"{certificate}\n{private_key}".encode())
        file.flush()
        load_own_certificate(context, f"/dev/fd/{file.fileno()}", None)
    return context


async def handshake(wire: socket.socket, context: ssl.SSLContext, *, identity: str) -> Tls:
    """Shake hands with the server behind ``wire``, which stays the caller's, and hear its verdict.

    Under TLS 1.3 a client is done before the server has judged its certificate. Raises
    ``WrongIdentityError`` before anything else is said to a server that is not ``identity``,
    ``ssl.SSLError`` (also where the server denies) and ``OSError``.
    """
    tls = await tls_handshake(wire, context)
    found = _identities(tls.object)
    if identity.casefold() not in (one.casefold() for one in found):
        raise WrongIdentityError(found)
    await tls.send(wire)
    if await readable_within(wire, _VERDICT_SECONDS):
        await tls.receive(wire)
        tls.read_early()
    return tls


def _identities(tls: ssl.SSLObject) -> tuple[str, ...]:
    certificate = tls.getpeercert() or {}
    names = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
    return tuple(value for kind, value in names if kind == "URI")
