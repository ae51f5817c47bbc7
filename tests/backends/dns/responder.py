"""A name server that answers what the test says: no real one lies, or is silent, on demand."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import dns.message
import dns.rrset
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Reply = Callable[[dns.message.Message], bytes | None]


class _Datagrams(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own transport is no subclass of what it implements.
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self.reply(dns.message.from_wire(data))
        if answer is not None:
            self.transport.sendto(answer, addr)


@asynccontextmanager
async def responder(reply: Reply) -> AsyncIterator[str]:
    """Return HOST:PORT of a UDP server; it says nothing where ``reply`` gives ``None``."""
    port = free_port()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(reply), local_addr=("127.0.0.1", port)
    )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        transport.close()


def answering(*records: str) -> Callable[[dns.message.Message], bytes]:
    """Answer every question with ``records``, each like ``"name. SRV 0 0 9100 target."``."""

    def reply(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        for record in records:
            name, kind, text = record.split(" ", 2)
            response.answer.append(dns.rrset.from_text(name, 5, "IN", kind, text))
        return response.to_wire()

    return reply
