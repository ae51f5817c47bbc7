"""The distribution over TLS: a layer over whatever way leads to a node.

Knows how a node proves its name and what its refusals mean. A node's epmd speaks no TLS and is
dialled without this.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from typing import TYPE_CHECKING, Final

from erlconnect.errors import ErlconnectError
from erlconnect.session import tls_failures as failures
from erlconnect.session.endings import why_ended
from erlconnect.session.tls_contexts import client_context
from erlconnect.session.tls_names import fits, names_of
from erlconnect.tls.context import probe_context, tls_words
from erlconnect.tls.handshake import tls_handshake
from erlconnect.tls.pump import TlsPump

if TYPE_CHECKING:
    import socket

    from erlconnect.api import Dialer
    from erlconnect.configuration.tls_settings import TlsSettings
    from erlconnect.tls.handshake import Tls

HANDSHAKE_SECONDS: Final = 3.0
_END_SECONDS: Final = 0.5
_PROBE_SECONDS: Final = 1.0


class TlsClient:
    """What a session speaks TLS to nodes with; its files are read once."""

    def __init__(self, settings: TlsSettings) -> None:
        """Raise ``ConfigurationError`` where a file cannot be used."""
        self.server_name = settings.tls_server_name
        self.certificate = settings.tls_cert
        self.context = client_context(settings)

    def over(self, dialer: Dialer, *, host: str, address: str) -> TlsDialer:
        """Give TLS over ``dialer`` to the node at ``host``; ``address`` is for messages."""
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
        """Give our end of a stream to a node that has proved its name.

        Raises what the way below raises, ``RefusedError`` where either side does not trust the
        other, ``NotDistributionError`` and ``TimedOutError``. Cancelled, it leaves nothing behind.
        """
        wire = await self._dialer.dial(port)
        try:
            tls = await self._secured(wire, f"{self._address}:{port}")
            pump = TlsPump(wire, tls, name=f"to {self._address}:{port}")
        except BaseException:
            wire.close()
            raise
        self._streams = [one for one in self._streams if one[0].stream.fileno() >= 0]
        self._streams.append((pump, wire))
        pump.start()
        return pump.stream

    async def why_ended(self, stream: socket.socket) -> str:
        """Say what ended ``stream``. Raises ``RefusedError`` if the node never let us in.

        Under TLS 1.3 a node judges our certificate when we are long done, and says so as the first
        thing that comes.
        """
        for pump, wire in self._streams:
            if pump.stream is stream:
                if not await asyncio.to_thread(pump.ended.wait, _END_SECONDS):
                    return ""
                if isinstance(pump.failure, ssl.SSLError) and not pump.heard:
                    raise failures.refused(self._address, pump.failure, self._client.certificate)
                below = await why_ended(self._dialer, wire)
                return below or (tls_words(pump.failure) if pump.failure else "")
        return ""

    async def _secured(self, wire: socket.socket, where: str) -> Tls:
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                tls = await tls_handshake(
                    wire, self._client.context, server_name=_indicated(self._server_name)
                )
        except TimeoutError as error:
            raise failures.silent(where, HANDSHAKE_SECONDS) from error
        except OSError as error:
            raise await self._explained(wire, where, error) from error
        names = names_of(tls.object)
        if not any(fits(self._server_name, name) for name in names):
            raise failures.another_name(where, self._server_name, names)
        return tls

    async def _explained(self, wire: socket.socket, where: str, error: OSError) -> ErlconnectError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return failures.untrusted(where, error)
        if failures.is_alert(error):
            return failures.refused(where, error, self._client.certificate)
        below = await why_ended(self._dialer, wire)
        return failures.no_tls(where, below or tls_words(error))


async def speaks_tls(dialer: Dialer, port: int) -> bool:
    """Say whether a TLS server answers at ``port``; nothing is said to it but a hello."""
    context = probe_context()
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            with await dialer.dial(port) as wire:
                await tls_handshake(wire, context)
    except (OSError, ErlconnectError) as error:
        return failures.is_alert(error)
    return True


def _indicated(name: str) -> str | None:
    """Give what may be indicated as the server's name: an address may not."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name
    return None
