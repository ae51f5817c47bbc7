"""The channels of ``v4.channel.k8s.io``, message by message, and what a stalled one does."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kubernetes_double.echo import Echo
    from world.kubernetes.api import KubernetesApi

PODS = "/api/v1/namespaces/shop/pods"
V4 = "v4.channel.k8s.io"
SECONDS = 20


@asynccontextmanager
async def websocket(
    api: KubernetesApi, path: str, *protocols: str
) -> AsyncIterator[ClientConnection]:
    trusted = ssl.create_default_context(cadata=api.authority.certificate.decode())
    async with (
        asyncio.timeout(SECONDS),
        connect(
            f"wss://127.0.0.1:{api.port}{path}",
            additional_headers={"Authorization": f"Bearer {api.token}"},
            subprotocols=[Subprotocol(each) for each in protocols] or None,
            ssl=trusted,
            compression=None,
            proxy=None,
        ) as connection,
    ):
        yield connection


def forward(*ports: int) -> str:
    return f"{PODS}/shop-1/portforward?ports={','.join(map(str, ports))}"


async def test_each_channel_begins_with_its_port(api: KubernetesApi, echo: Echo) -> None:
    async with websocket(api, forward(echo.port, 1), V4) as connection:
        assert connection.subprotocol == V4
        begun = [await connection.recv() for _ in range(4)]
        port = echo.port.to_bytes(2, "little")
        assert begun == [b"\0" + port, b"\1" + port, b"\2\1\0", b"\3\1\0"]
        refused = await connection.recv(decode=False)
        assert refused[:1] == b"\3"
        assert refused.startswith(b"\3error forwarding port 1 to pod ")
        await connection.send(b"\0hello")
        assert await connection.recv() == b"\0hello"


async def test_a_client_may_offer_no_protocol(api: KubernetesApi, echo: Echo) -> None:
    async with websocket(api, forward(echo.port)) as connection:
        assert connection.subprotocol is None
        assert (await connection.recv())[:1] == b"\0"


async def test_the_websocket_closes_when_every_port_has_ended(api: KubernetesApi) -> None:
    async with websocket(api, forward(1), V4) as connection:
        assert len([message async for message in connection]) == 3
        assert connection.close_code == 1000


async def test_the_pod_sees_the_end_of_the_websocket(api: KubernetesApi) -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b"bye"
        ended.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with websocket(api, forward(port), V4) as connection:
            await connection.send(b"\0bye")
        async with asyncio.timeout(SECONDS):
            await ended.wait()


async def sent_until_it_blocks(connection: ClientConnection) -> int:
    """Send until nobody takes any more for two seconds; how many megabytes that were."""
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 256:
            await asyncio.wait_for(connection.send(b"\0" + bytes(1 << 20)), 2)
            sent += 1
    return sent


async def test_a_pod_that_does_not_read_stops_its_client(api: KubernetesApi) -> None:
    closed = asyncio.Event()

    async def never_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await closed.wait()
        writer.transport.abort()

    async with await asyncio.start_server(never_read, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with websocket(api, forward(port), V4) as connection:
            sent = await sent_until_it_blocks(connection)
            assert 0 < sent < 64  # megabytes: what fits into the buffers on the way
            api.cut_connections()
            closed.set()


@pytest.mark.parametrize(
    ("path", "protocols", "status"),
    [
        (f"{PODS}/none/portforward?ports=1", (V4,), 404),
        (f"{PODS}/shop-1/portforward?ports=0", (V4,), 400),
        (f"{PODS}/shop-1/portforward", (V4,), 400),
        (f"{PODS}/shop-1/portforward?ports=1", ("v9.channel.k8s.io",), 403),
        (f"{PODS}/shop-1/exec?stdout=true", (V4,), 400),
        (f"{PODS}/shop-1/exec?command=true", (V4,), 400),
    ],
)
async def test_refused_before_the_upgrade(
    api: KubernetesApi, path: str, protocols: tuple[str, ...], status: int
) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with websocket(api, path, *protocols):
            pass
    assert caught.value.response.status_code == status


async def test_a_fault_for_one_protocol_alone(api: KubernetesApi, echo: Echo) -> None:
    api.faults.answer(403, where=r"portforward.* v4\.channel")
    with pytest.raises(InvalidStatus, match="403"):
        async with websocket(api, forward(echo.port), V4):
            pass
    async with websocket(api, forward(echo.port)) as connection:
        assert await connection.recv()


async def test_a_stalled_websocket_is_silent_and_goes_on(api: KubernetesApi, echo: Echo) -> None:
    async with websocket(api, forward(echo.port), V4) as connection:
        for _ in range(2):
            await connection.recv()
        api.faults.stall()
        await connection.ping()
        await connection.send(b"\0hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.recv(), 0.5)
        api.faults.clear()
        assert await connection.recv() == b"\0hello"


async def test_stdin_ends_in_version_five_alone(api: KubernetesApi) -> None:
    path = f"{PODS}/shop-1/exec?command=cat&stdin=true&stdout=true"
    async with websocket(api, path, "v5.channel.k8s.io") as connection:
        await connection.send(b"\0hello")
        await connection.send(b"\xff\0")
        messages = [message async for message in connection]
    assert messages == [b"\1", b"\1hello", b'\3{"metadata": {}, "status": "Success"}']
