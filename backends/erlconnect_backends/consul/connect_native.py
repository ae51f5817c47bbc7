"""The mode ``native``: TLS straight to the sidecar of the target, with a certificate of the agent.

``NativeConnector`` asks for certificates and sidecars anew for every dial; while the agent is away,
the last ones serve. ``handshake`` proves who answers: in the mesh a service's identity is a URI in
its certificate, and its host name says nothing. ``TlsPump`` carries the bytes afterwards.

SPIFFE: https://github.com/spiffe/spiffe/blob/main/standards/X509-SVID.md
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING, Final, cast

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    TlsPump,
    client_context,
    load_own_certificate,
    readable_within,
    tls_handshake,
    tls_words,
)
from erlconnect.net.sockets import connected
from erlconnect_backends.consul import errors

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterable

    from erlconnect.api import Tls
    from erlconnect_backends.consul.agent import Credentials, MeshAgent, Sidecar

_DIAL_SECONDS: Final = 3.0
_AGENT_SECONDS: Final = 1.0
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
# A server that denies sends an alert right after the handshake; one that agrees usually sends a
# session ticket.
_VERDICT_SECONDS: Final = 0.25
_NO_ROUTE_REMEDY: Final = (
    "Check that the sidecar runs and that this machine has a way to it (a VPN?), or go through a"
    " proxy that has one, with -o transport.upstream=HOST:PORT."
)


class NativeConnector:
    """Dials the sidecar of one target. Streams outlive it: each ends when its caller closes it."""

    name = "native"

    def __init__(self, agent: MeshAgent, *, source: str, destination: str, address: str) -> None:
        """``address`` is the target's, by which its sidecar is known among several."""
        self._agent = agent
        self._source = source
        self._destination = destination
        self._address = address
        self._last_answer: tuple[Credentials, list[Sidecar]] | None = None
        self._pumps: list[TlsPump] = []

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[None]:
        """Ask the agent for all that a dial needs, and have it renew the certificate meanwhile.

        Raises what the agent's answers raise, and ``UnreachableError`` where there is no sidecar.
        """
        self._last_answer = await self._ask_agent()
        failure: Exception | None = None
        async with asyncio.TaskGroup() as group:
            renewal = group.create_task(self._renew(self._last_answer[0].index))
            try:
                yield
            except Exception as error:  # noqa: BLE001 - a group would wrap the caller's error
                failure = error
            finally:
                renewal.cancel()
        if failure:
            raise failure

    async def dial(self, port: int) -> socket.socket:
        """Return our end of a stream to the service's port, which its sidecar has agreed to.

        Raises ``RefusedError`` where an intention denies it or another service answers,
        ``UnreachableError`` and ``TimedOutError``. Cancelled, it leaves nothing behind.
        """
        credentials, sidecars = await self._credentials_and_sidecars()
        sidecar = self._sidecar(sidecars, port)
        where = _where(self._destination, sidecar)
        try:
            async with asyncio.timeout(_DIAL_SECONDS):
                pump = await self._pump(credentials, sidecar, where)
        except TimeoutError as error:
            raise errors.service_timed_out(where, _DIAL_SECONDS) from error
        # Pumps whose stream the caller has closed have nothing to explain any more.
        self._pumps = [one for one in self._pumps if one.stream.fileno() >= 0] + [pump]
        pump.start()
        return pump.stream

    async def why_ended(self, stream: socket.socket) -> str:
        """Return what ended ``stream``; nothing where it was an orderly end after some bytes."""
        pump = next((one for one in self._pumps if one.stream is stream), None)
        if pump is None or not await asyncio.to_thread(pump.ended.wait, _AGENT_SECONDS / 2):
            return ""
        if not pump.heard and await self._agent.denies(self._source, self._destination):
            return errors.denial_words(self._source, self._destination)
        if pump.failure:
            return f"the sidecar of {self._destination}: {tls_words(pump.failure)}"
        if pump.heard:
            return ""
        return (
            f"the sidecar of {self._destination} took the connection and closed it:"
            " its service does not listen behind it"
        )

    async def _renew(self, index: int) -> None:
        """Wait for one certificate after the other, until cancelled: so the agent renews them."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                credentials = await self._agent.credentials(self._source, index=index)
            except ErlconnectError:
                await asyncio.sleep(pause)
                index, pause = 0, min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                index, pause = credentials.index, _FIRST_PAUSE_SECONDS

    async def _ask_agent(self) -> tuple[Credentials, list[Sidecar]]:
        credentials = await self._agent.credentials(self._source)
        sidecars = await self._agent.sidecars(self._destination)
        if not sidecars:
            raise errors.no_sidecar(self._destination, 0, [])
        return credentials, sidecars

    async def _credentials_and_sidecars(self) -> tuple[Credentials, list[Sidecar]]:
        # With an older answer the agent gets a short time only: the dial has its own deadline.
        try:
            async with asyncio.timeout(_AGENT_SECONDS if self._last_answer else None):
                self._last_answer = await self._ask_agent()
        except (TimeoutError, LookupFailedError):
            if self._last_answer is None:
                raise
        return self._last_answer

    def _sidecar(self, sidecars: list[Sidecar], port: int) -> Sidecar:
        """Return the sidecar of the target's own instance."""
        fitting = [one for one in sidecars if one.service_port in (0, port)]
        if not fitting:
            others = sorted({one.service_port for one in sidecars})
            raise errors.no_sidecar(self._destination, port, others)
        return max(fitting, key=lambda one: self._address in (one.address, one.node_address))

    async def _pump(self, credentials: Credentials, sidecar: Sidecar, where: str) -> TlsPump:
        try:
            wire = await connected(sidecar.address, sidecar.port)
        except OSError as error:
            raise errors.service_unreachable(where, error, remedy=_NO_ROUTE_REMEDY) from error
        try:
            tls = await self._handshake(wire, credentials, sidecar, where)
            return TlsPump(wire, tls, name=f"to {where}")
        except BaseException:
            wire.close()
            raise

    async def _handshake(
        self, wire: socket.socket, credentials: Credentials, sidecar: Sidecar, where: str
    ) -> Tls:
        identity = (
            f"spiffe://{credentials.trust_domain}/ns/{sidecar.namespace}"
            f"/dc/{sidecar.datacenter}/svc/{self._destination}"
        )
        try:
            context = mesh_context(
                certificate=credentials.certificate,
                private_key=credentials.private_key,
                roots=credentials.roots,
            )
            return await handshake(wire, context, identity=identity)
        except WrongIdentityError as error:
            raise errors.wrong_identity(where, identity, error) from error
        except ssl.SSLCertVerificationError as error:
            raise errors.service_untrusted(where, error) from error
        except OSError as error:
            if await self._agent.denies(self._source, self._destination):
                raise errors.denied(self._source, self._destination) from error
            why = tls_words(error)
            # A TLS alert is the server's own decision; anything else is a broken connection.
            if "alert" in why:
                raise errors.refused_certificate(
                    where, self._source, self._destination, why
                ) from error
            raise errors.service_without_tls(where, error) from error


def _where(destination: str, sidecar: Sidecar) -> str:
    host = f"[{sidecar.address}]" if ":" in sidecar.address else sidecar.address
    return f"The sidecar of {destination} at {host}:{sidecar.port}"


class WrongIdentityError(Exception):
    """The certificate is of this mesh and not of the service that was meant."""

    def __init__(self, found: tuple[str, ...]) -> None:
        super().__init__(", ".join(found) or "no identity")


async def handshake(wire: socket.socket, context: ssl.SSLContext, *, identity: str) -> Tls:
    """Shake hands with the server behind ``wire``, which stays the caller's.

    It waits for a short time whether the server refuses our certificate. Raises
    ``WrongIdentityError`` before anything else is said to a server that is not ``identity``,
    ``ssl.SSLError`` (also where the server denies) and ``OSError``.
    """
    tls = await tls_handshake(wire, context)
    found = _identities(tls.object)
    if identity.casefold() not in (one.casefold() for one in found):
        raise WrongIdentityError(found)
    await tls.send(wire)
    # Under TLS 1.3 a client is done before the server has judged its certificate (RFC 8446,
    # section 4.4).
    if await readable_within(wire, _VERDICT_SECONDS):
        await tls.receive(wire)
        tls.read_early()
    return tls


def _identities(tls: ssl.SSLObject) -> tuple[str, ...]:
    certificate = tls.getpeercert() or {}
    names = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
    return tuple(value for kind, value in names if kind == "URI")


def mesh_context(*, certificate: str, private_key: str, roots: Iterable[str]) -> ssl.SSLContext:
    """Return a context that shows ``certificate`` and trusts ``roots`` alone; all are PEM texts.

    Names are not looked at: ``handshake`` checks the identity. Raises ``ssl.SSLError``.
    """
    context = client_context(authorities="\n".join(roots))
    context.check_hostname = False
    # OpenSSL's binding takes files only. These have no name, so that nobody else can open them, and
    # are gone when their descriptors are closed.
    with _unnamed_file(certificate) as chain, _unnamed_file(private_key) as key:
        load_own_certificate(context, f"/dev/fd/{chain.fileno()}", f"/dev/fd/{key.fileno()}")
    return context


def _unnamed_file(text: str) -> IO[bytes]:
    """Return an open file that holds ``text``, positioned at its start.

    On macOS ``/dev/fd/N`` is the same open file with the same position: it can be read once, and
    only from there.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(text.encode())
    file.seek(0)
    return file
