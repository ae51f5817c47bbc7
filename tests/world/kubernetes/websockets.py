"""The side of a websocket that the API server has: which protocols it takes, pings, standstills."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from aiohttp import WSMsgType, web
from world.kubernetes.statuses import bad_request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from world.kubernetes.faults import Faults

_LARGEST_MESSAGE: Final = 4 << 20
_PROTOCOL: Final = "Sec-WebSocket-Protocol"
_OVER: Final = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


def offered_protocols(request: web.BaseRequest) -> list[str]:
    """The subprotocols that a client offers, its favourite first."""
    offered = ",".join(request.headers.getall(_PROTOCOL, ())).split(",")
    return [word.strip() for word in offered if word.strip()]


class Websocket:
    """One open websocket; while the faults say so, nothing passes it, no pong either."""

    def __init__(self, response: web.WebSocketResponse, faults: Faults) -> None:
        self.response = response
        self._faults = faults

    @classmethod
    async def accept(
        cls, request: web.BaseRequest, protocols: Sequence[str], faults: Faults
    ) -> Websocket:
        """Answer the opening handshake; a client that offers nothing gets no protocol.

        Raises RefusedError, HTTPForbidden for a client that offers only other protocols.
        """
        offered = offered_protocols(request)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise bad_request("Upgrade request required")
        if offered and not set(offered) & set(protocols):
            raise web.HTTPForbidden(text="")  # as golang.org/x/net/websocket answers
        response = web.WebSocketResponse(
            protocols=protocols, autoping=False, compress=False, max_msg_size=_LARGEST_MESSAGE
        )
        await response.prepare(request)
        return cls(response, faults)

    @property
    def protocol(self) -> str:
        """The subprotocol that was agreed on, if any."""
        return self.response.ws_protocol or ""

    async def messages(self) -> AsyncIterator[bytes]:
        """The messages, until the websocket closes, in whatever way; text is bytes, too."""
        while (message := await self.response.receive()).type not in _OVER:
            await self._faults.gate()
            if message.type is WSMsgType.PING:
                await self.response.pong(message.data)
            elif message.type is WSMsgType.BINARY:
                yield message.data
            elif message.type is WSMsgType.TEXT:
                yield message.data.encode()

    async def send(self, data: bytes) -> None:
        """Send one binary message; to a client that has gone it is lost."""
        await self._faults.gate()
        with contextlib.suppress(ConnectionError):
            await self.response.send_bytes(data)

    async def close(self) -> None:
        await self._faults.gate()
        with contextlib.suppress(ConnectionError):
            await self.response.close()
