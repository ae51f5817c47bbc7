"""Letting local nodes in, in the open or over TLS: the first byte tells which.

A node that is started with ``-proto_dist inet_tls`` dials every node so, the alias too.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.errors import LocalNodeError
from erlconnect.proxy.frame_stream import LENGTH_SIZE, TLS_LENGTH_SIZE
from erlconnect.proxy.link import HANDSHAKE_SECONDS
from erlconnect.proxy.refusals import local_node_silent
from erlconnect.session.tls_contexts import server_context
from erlconnect.streams.sockets import readable_within
from erlconnect.tls.context import tls_words
from erlconnect.tls.handshake import tls_handshake
from erlconnect.tls.pump import TlsPump

if TYPE_CHECKING:
    import ssl

    from erlconnect.configuration.session_settings import SessionSettings

_TLS_HANDSHAKE: Final = b"\x16"


@dataclass(frozen=True, slots=True, kw_only=True)
class LetIn:
    """What a link reads and writes, and how many bytes the length of a handshake's frame has."""

    stream: socket.socket
    length_size: int


class LocalDoor:
    """With a certificate it lets in nodes that speak TLS, too; without one those that do not."""

    def __init__(self, settings: SessionSettings) -> None:
        """Raise ``ConfigurationError`` where a file cannot be used."""
        self._context = server_context(settings.local_tls_cert, settings.local_tls_key)

    async def let_in(self, local: socket.socket) -> LetIn:
        """Give the stream of a local node; ``local`` stays the caller's. Raises what a link does.

        Cancelled, it leaves nothing behind.
        """
        if self._context is None:
            return LetIn(stream=local, length_size=LENGTH_SIZE)
        if not await readable_within(local, HANDSHAKE_SECONDS):
            raise local_node_silent("send_name", HANDSHAKE_SECONDS)
        if not _begins_tls(local):
            return LetIn(stream=local, length_size=LENGTH_SIZE)
        return LetIn(stream=await self._secured(local, self._context), length_size=TLS_LENGTH_SIZE)

    async def _secured(self, local: socket.socket, context: ssl.SSLContext) -> socket.socket:
        # The pump owns its socket and may end after the link.
        try:
            wire = local.dup()
        except OSError as error:
            raise _not_let_in(error) from error
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                tls = await tls_handshake(wire, context, server_side=True)
            pump = TlsPump(wire, tls, name="from a local node")
        except BaseException as error:
            wire.close()
            if isinstance(error, OSError):
                raise _not_let_in(error) from error
            raise
        pump.start()
        return pump.stream


def _begins_tls(local: socket.socket) -> bool:
    try:
        return local.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE
    except OSError:
        # It was reset. The link meets the end, too, and says so as of any other local node.
        return False


def _not_let_in(error: OSError) -> LocalNodeError:
    return LocalNodeError(
        f"the local node ended the TLS handshake: {tls_words(error) or 'it took too long'}",
        remedy="Its ssl_dist_optfile has to trust the certificate of `-o local-tls-cert=`, which "
        "has to be for localhost and for 127.0.0.1 (as a DNS name and as an address).",
    )
