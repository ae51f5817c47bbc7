"""TLS of the mesh without its proxies: the handshake, and who answered it.

Knows how leaf certificates and roots become a client's context and how a service proves its
identity: the URI in its certificate. Refuses to know where certificates come from and what is
done with the stream. SPIFFE: https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
"""

from __future__ import annotations

import tempfile
from typing import IO, TYPE_CHECKING, Final, cast

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
    # The library takes files only; these have no name and go with their descriptors.
    with _unnamed_file(certificate) as chain, _unnamed_file(private_key) as key:
        load_own_certificate(context, f"/dev/fd/{chain.fileno()}", f"/dev/fd/{key.fileno()}")
    return context


def _unnamed_file(text: str) -> IO[bytes]:
    """Return an open file that holds ``text`` and stands at its start.

    On macOS ``/dev/fd/N`` is the same open file with the same position: it can be read once, and
    only from there.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(text.encode())
    file.seek(0)
    return file


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
