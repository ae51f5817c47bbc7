"""The distribution over TLS: to remote nodes, and from local nodes.

``TlsClient`` reads the files of the settings once, and puts a ``TlsDialer`` above the dialer of any
transport. Our code compares the names of a certificate, because OTP compares them in its own way.
``LocalAcceptor`` accepts local nodes with or without TLS: one that is started with ``-proto_dist
inet_tls`` dials every node so, the alias too. A node's epmd speaks no TLS and is asked without it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from erlconnect.contract import disconnect_reason
from erlconnect.errors import (
    ConfigurationError,
    ErlconnectError,
    LocalNodeError,
    NotDistributionError,
    RefusedError,
    TimedOutError,
)
from erlconnect.net.sockets import readable_within
from erlconnect.net.tls import TlsPump, strict, tls_handshake
from erlconnect.net.tls_context import (
    certificate_remedy,
    load_own_certificate,
    probe_context,
    tls_words,
)
from erlconnect.net.tls_context import client_context as checking_context
from erlconnect.proxy.errors import local_node_silent
from erlconnect.proxy.frame_stream import LENGTH_SIZE, TLS_LENGTH_SIZE
from erlconnect.proxy.link import HANDSHAKE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from erlconnect.configuration.session_settings import SessionSettings
    from erlconnect.configuration.tls_settings import TlsSettings
    from erlconnect.contract import Dialer
    from erlconnect.net.tls import Tls

# A link has 6 s for all: dialling, TLS and the handshake of the distribution.
TLS_HANDSHAKE_SECONDS: Final = 3.0
# How long to wait for the end of a stream that failed, which may say why.
_END_SECONDS: Final = 0.5
_PROBE_SECONDS: Final = 1.0
# The content type of a TLS record with a handshake (RFC 8446, 5.1). A plain send_name begins with
# the high byte of its length, which is 0 or 1: a node name has 255 bytes at most.
_TLS_HANDSHAKE: Final = b"\x16"
# OTP writes addresses as DNS names, because it knows nodes by the text after the `@`; other makers
# of certificates write IP addresses.
_KINDS: Final = ("DNS", "IP Address")


class TlsClient:
    """The TLS context for remote nodes, and the name that their certificates must have."""

    def __init__(self, settings: TlsSettings) -> None:
        """Raise ``ConfigurationError`` where a file cannot be used."""
        self.server_name = settings.tls_server_name
        self.certificate = settings.tls_cert
        self.context = client_context(settings)

    def over(self, dialer: Dialer, *, host: str, address: str) -> TlsDialer:
        """Return TLS over ``dialer`` to the node at ``host``; ``address`` is for messages."""
        return TlsDialer(self, dialer, server_name=self.server_name or host, address=address)


class TlsDialer:
    """A ``Dialer`` that ``ExplainsEnd``. A stream outlives it until its caller closes it."""

    def __init__(
        self, client: TlsClient, dialer: Dialer, *, server_name: str, address: str
    ) -> None:
        self._client = client
        self._dialer = dialer
        self._server_name = server_name
        self._address = address
        self._streams: list[tuple[TlsPump, socket.socket]] = []

    async def dial(self, port: int) -> socket.socket:
        """Return our end of a stream to a node that has proved its name.

        Raises what the dialer below raises, ``RefusedError`` where either side does not trust the
        other, ``NotDistributionError`` and ``TimedOutError``. Cancelled, it leaves nothing behind.
        """
        wire = await self._dialer.dial(port)
        try:
            tls = await self._secured(wire, f"{self._address}:{port}")
            pump = TlsPump(wire, tls, name=f"to {self._address}:{port}")
        except BaseException:
            wire.close()
            raise
        # Forget the streams that their callers have closed.
        self._streams = [one for one in self._streams if one[0].stream.fileno() >= 0]
        self._streams.append((pump, wire))
        pump.start()
        return pump.stream

    async def why_ended(self, stream: socket.socket) -> str:
        """Return what ended ``stream``. Raises ``RefusedError`` for a certificate it refused."""
        # Under TLS 1.3 a node checks our certificate when our side of the handshake is over: its
        # alert is the first thing that comes (RFC 8446, 4.4.2.4).
        for pump, wire in self._streams:
            if pump.stream is stream:
                if not await asyncio.to_thread(pump.ended.wait, _END_SECONDS):
                    return ""
                # Without a byte before it, the alert is the answer to our certificate.
                if isinstance(pump.failure, ssl.SSLError) and not pump.heard:
                    raise tls_refused(self._address, pump.failure, self._client.certificate)
                below = await disconnect_reason(self._dialer, wire)
                return below or (tls_words(pump.failure) if pump.failure else "")
        return ""

    async def _secured(self, wire: socket.socket, where: str) -> Tls:
        try:
            async with asyncio.timeout(TLS_HANDSHAKE_SECONDS):
                tls = await tls_handshake(
                    wire,
                    self._client.context,
                    server_name=_server_name_indication(self._server_name),
                )
        except TimeoutError as error:
            raise tls_timeout(where, TLS_HANDSHAKE_SECONDS) from error
        except OSError as error:
            raise await self._explained(wire, where, error) from error
        # Before a byte of the distribution is sent: another host gets neither a name nor a digest.
        names = certificate_names(tls.object)
        if not any(matches_name(self._server_name, name) for name in names):
            raise wrong_certificate_name(where, self._server_name, names)
        return tls

    async def _explained(self, wire: socket.socket, where: str, error: OSError) -> ErlconnectError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return untrusted_certificate(where, error)
        if is_alert(error):
            return tls_refused(where, error, self._client.certificate)
        below = await disconnect_reason(self._dialer, wire)
        return tls_not_spoken(where, below or tls_words(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundStream:
    """The stream of a link; a handshake's frame has a length of ``length_size`` bytes."""

    stream: socket.socket
    length_size: int


class LocalAcceptor:
    """Accepts plain local nodes, and with a certificate those that speak TLS, too."""

    def __init__(self, settings: SessionSettings) -> None:
        """Raise ``ConfigurationError`` where a file cannot be used."""
        self._context = server_context(settings.local_tls_cert, settings.local_tls_key)

    async def accept(self, local: socket.socket) -> InboundStream:
        """Return the stream of a local node; ``local`` stays the caller's. Raises what a link does.

        Cancelled, it leaves nothing behind.
        """
        if self._context is None:
            return InboundStream(stream=local, length_size=LENGTH_SIZE)
        if not await readable_within(local, HANDSHAKE_SECONDS):
            raise local_node_silent("send_name", HANDSHAKE_SECONDS)
        if not _begins_tls(local):
            return InboundStream(stream=local, length_size=LENGTH_SIZE)
        return InboundStream(
            stream=await self._secured(local, self._context), length_size=TLS_LENGTH_SIZE
        )

    async def _secured(self, local: socket.socket, context: ssl.SSLContext) -> socket.socket:
        # The pump closes its own socket, and may do so after the link has ended.
        try:
            wire = local.dup()
        except OSError as error:
            raise _not_accepted(error) from error
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                tls = await tls_handshake(wire, context, server_side=True)
            pump = TlsPump(wire, tls, name="from a local node")
        except BaseException as error:
            wire.close()
            if isinstance(error, OSError):
                raise _not_accepted(error) from error
            raise
        pump.start()
        return pump.stream


async def speaks_tls(dialer: Dialer, port: int) -> bool:
    """Return whether a TLS server answers at ``port``; it gets a ClientHello and nothing else."""
    context = probe_context()
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            with await dialer.dial(port) as wire:
                await tls_handshake(wire, context)
    except (OSError, ErlconnectError) as error:
        # An alert is TLS, too: the server refuses us and not the protocol.
        return is_alert(error)
    return True


def server_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the context for local nodes; ``None`` without a certificate."""
    if certificate is None:
        if key is not None:
            raise _key_without_certificate(key, "local-tls-")
        return None
    context = strict(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    load_certificate(context, certificate, key, "local-tls-")
    return context


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return the context for remote nodes. Raises ``ConfigurationError``."""
    context = _verifying_context(settings.tls_ca)
    # OTP's certificates have addresses as DNS names, which Python's check refuses: see _KINDS.
    context.check_hostname = False
    if settings.tls_cert is not None:
        load_certificate(context, settings.tls_cert, settings.tls_key, "transport.tls-")
    elif settings.tls_key is not None:
        raise _key_without_certificate(settings.tls_key, "transport.tls-")
    return context


def load_certificate(
    context: ssl.SSLContext, certificate: Path, key: Path | None, prefix: str
) -> None:
    """Load a certificate with its key.

    ``prefix`` begins the names of the settings. Raises ``ConfigurationError``, which names them.
    """
    certificate = _readable(f"{prefix}cert", certificate)
    if key is not None:
        key = _readable(f"{prefix}key", key)
    try:
        load_own_certificate(context, certificate, key)
    except (ssl.SSLError, ValueError) as error:
        files = f"{certificate}" if key is None else f"{certificate} with {key}"
        raise ConfigurationError(
            f"-o {prefix}cert: {files} cannot be used: {tls_words(error)}",
            remedy="Both have to be PEM, the key without a passphrase and that of the certificate; "
            f"`-o {prefix}key=` names a key that is in a file of its own.",
        ) from error


def certificate_names(session: ssl.SSLObject) -> list[str]:
    """Return the names in the other side's certificate; its common name where it has no others."""
    certificate = session.getpeercert() or {}
    pairs = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
    names = [value for kind, value in pairs if kind in _KINDS]
    if names:
        return names
    # The common name counts only where there are no others (RFC 6125, 6.4.4).
    subject = cast("tuple[tuple[tuple[str, str], ...], ...]", certificate.get("subject", ()))
    return [value for part in subject for kind, value in part if kind == "commonName"]


def matches_name(wanted: str, name: str) -> bool:
    """Return whether a certificate's name stands for ``wanted``; ``*`` is one label (RFC 6125)."""
    address = _address(wanted)
    if address:
        return _address(name) == address
    wanted, name = (one.casefold().rstrip(".") for one in (wanted, name))
    label, _, rest = name.partition(".")
    if label == "*":
        return "." in rest and wanted.partition(".")[2] == rest
    return bool(wanted) and wanted == name


def _address(name: str) -> str:
    """Return an address in its canonical form; empty where ``name`` is no address."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return ""


def untrusted_certificate(where: str, error: ssl.SSLCertVerificationError) -> RefusedError:
    """Return the error of a certificate from no authority that is trusted here."""
    return RefusedError(
        f"{where} showed a certificate that is not trusted here: "
        f"{tls_words(error)}; nothing was sent to it",
        remedy=certificate_remedy(
            error,
            "Name the certificates that vouch for the node with `-o transport.tls-ca=`: what "
            "its own ssl_dist_optfile has as cacertfile.",
        ),
    )


def wrong_certificate_name(where: str, wanted: str, names: Sequence[str]) -> RefusedError:
    """Return the error of a certificate for another host."""
    listed = ", ".join(names) or "nobody"
    return RefusedError(
        f"{where} showed a certificate for {listed}, and {wanted} was expected; nothing was sent "
        "to it",
        remedy="If that is the node you mean, name what its certificate says with "
        "`-o transport.tls-server-name=`.",
    )


def tls_refused(where: str, error: Exception, certificate: Path | None) -> RefusedError:
    """Return the error of a node that did not accept our certificate, or its absence."""
    why = tls_words(error)
    if certificate is None:
        return RefusedError(
            f"{where} ended the TLS handshake, and no certificate was shown to it: {why}",
            remedy="If the node wants a certificate (verify_peer), give one that it trusts with "
            "`-o transport.tls-cert=` and `-o transport.tls-key=`.",
        )
    return RefusedError(
        f"{where} ended the TLS handshake, with {certificate} shown to it: {why}",
        remedy="Show a certificate that the node's own cacertfile vouches for and that has not "
        "expired, with `-o transport.tls-cert=`.",
    )


def tls_not_spoken(where: str, why: str) -> NotDistributionError:
    """Return the error of an answer that is not TLS."""
    return NotDistributionError(
        f"{where} did not answer in TLS: {why}",
        remedy="Leave out the settings transport.tls-... if the node speaks the plain "
        "distribution, and check that the port is the distribution port.",
    )


def tls_timeout(where: str, seconds: float) -> TimedOutError:
    """Return the error of a TLS handshake without an answer."""
    return TimedOutError(
        f"{where} accepted the connection, but did not answer in TLS within {seconds:g} s",
        remedy="Leave out the settings transport.tls-... if the node speaks the plain "
        "distribution; else try again.",
    )


def is_alert(error: Exception) -> bool:
    """Return whether the other side ended TLS with an alert."""
    # There is no class for it; the reason is, e.g., TLSV1_ALERT_UNKNOWN_CA.
    return isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "")


def _verifying_context(path: Path | None) -> ssl.SSLContext:
    if path is None:
        return checking_context()
    try:
        return checking_context(authority_file=_readable("transport.tls-ca", path))
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"-o transport.tls-ca: {path} holds no certificate that can be read:"
            f" {tls_words(error)}",
            remedy="Name a PEM file with the certificates that vouch for the node.",
        ) from error


def _readable(key: str, path: Path) -> Path:
    try:
        found = path.expanduser()
        found.open("rb").close()
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"-o {key}: {path} cannot be read: {getattr(error, 'strerror', None) or error}",
            remedy="Correct the name of the file, or its rights.",
        ) from error
    return found


def _key_without_certificate(key: Path, prefix: str) -> ConfigurationError:
    return ConfigurationError(
        f"-o {prefix}key: {key} is a key without a certificate",
        remedy=f"Name the certificate with `-o {prefix}cert=`.",
    )


def _server_name_indication(name: str) -> str | None:
    """Return what may be sent as SNI: an address may not (RFC 6066, chapter 3)."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name
    return None


def _begins_tls(local: socket.socket) -> bool:
    try:
        # The byte stays in the socket, for TLS or for the link.
        return local.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE
    except OSError:
        # It was reset. The link reads the same error and reports it as for any local node.
        return False


def _not_accepted(error: OSError) -> LocalNodeError:
    return LocalNodeError(
        f"the local node ended the TLS handshake: {tls_words(error) or 'it took too long'}",
        remedy="Its ssl_dist_optfile has to trust the certificate of `-o local-tls-cert=`, which "
        "has to be for localhost and for 127.0.0.1 (as a DNS name and as an address).",
    )
