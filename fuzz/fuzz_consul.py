"""Any bytes as an HTTP answer of a Consul agent: one of our own errors, or instances and values."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from fuzz_input import InputReader

from erlconnect.api import ErlconnectError
from erlconnect_backends.consul import agent
from erlconnect_backends.consul.access import Access, agent_address
from erlconnect_backends.consul.agent import MeshAgent
from erlconnect_backends.consul.instances import target_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

ACCESS = Access(
    address=agent_address("127.0.0.1:8500"),
    token="",
    datacenter="",
    namespace="",
    tls=None,
    tls_server_name="",
)
HEADS = [
    b"",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Consul-Index: ",
    b"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 403 Forbidden\r\n\r\n",
]
_loop = asyncio.new_event_loop()


async def instances(agent: MeshAgent) -> None:
    """Ask for instances, and make targets of them as the backend does."""
    _, found = await agent.instances("shop")
    for instance in found:
        try:
            target_of(instance, basename="app", domain="service.consul", tag="")
        except ValueError:
            continue  # an address that no node can have, which the backend says in its own words


QUESTIONS: list[Callable[[MeshAgent], Awaitable[Any]]] = [
    instances,
    lambda agent: agent.services(),
    lambda agent: agent.value("cookie"),
    lambda agent: agent.sidecars("shop"),
    lambda agent: agent.sidecars("shop"),
    lambda agent: agent.upstreams("shop"),
    lambda agent: agent.credentials("shop"),
    lambda agent: agent.denies("us", "shop"),
]


class Answer:
    """A stream on which ``answer`` comes, and then its end."""

    def __init__(self, answer: bytes) -> None:
        self._pieces = [answer] if answer else []

    async def send(self, data: bytes) -> None:
        """Take no notice of the request."""

    async def receive(self) -> bytes:
        """Return what is left."""
        return self._pieces.pop() if self._pieces else b""


async def asked(question: int, answer: bytes) -> None:
    """Ask one question; what the agent sends over its connection is ``answer``."""

    @asynccontextmanager
    async def opened(*_: object, **__: object) -> AsyncIterator[Answer]:
        yield Answer(answer)

    with mock.patch.object(agent, "open_stream", opened):
        try:
            await QUESTIONS[question](MeshAgent(ACCESS))
        except ErlconnectError:
            return


def one_input(data: bytes) -> None:
    """Check one input."""
    reader = InputReader(data)
    question = reader.number(len(QUESTIONS))
    answer = HEADS[reader.number(len(HEADS))] + reader.rest()
    _loop.run_until_complete(asked(question, answer))
