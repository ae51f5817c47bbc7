"""Connections to a pod's ports, as a kubelet makes them for port-forwards: to the pod's loopback.

Knows nothing of how their bytes travel to the client.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Final

from world.kubernetes.statuses import bad_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from world.kubernetes.pods import RunningPod

_LOOPBACK: Final = (
    (socket.AF_INET, "127.0.0.1", "IPv4: dial tcp4 127.0.0.1"),
    (socket.AF_INET6, "::1", "IPv6 dial tcp6 [::1]"),
)
_CHUNK: Final = 32 << 10  # as large as the buffers that a kubelet copies with


class PodConnection:
    """One connection to ``port``; may be fed before it stands."""

    def __init__(self, pod: RunningPod, port: int) -> None:
        self.port = port
        self._pod = pod
        self._writer: asyncio.Future[asyncio.StreamWriter | None]
        self._writer = asyncio.get_running_loop().create_future()

    async def run(self, sink: Callable[[bytes], Awaitable[None]]) -> None:
        """Connect, and give ``sink`` what comes, until the pod's side ends. Raises OSError."""
        try:
            connection = await _dial(self._pod, self.port)
        except OSError:
            self._writer.set_result(None)
            raise
        reader, writer = await asyncio.open_connection(sock=connection)
        self._writer.set_result(writer)
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(_CHUNK):
                    await sink(data)
        except asyncio.CancelledError:
            writer.transport.abort()  # a pod that does not read must not keep it open
            raise
        finally:
            writer.close()

    async def _connected(self) -> asyncio.StreamWriter | None:
        # Whoever is cancelled while waiting must not cancel it for the others.
        return await asyncio.shield(self._writer)

    async def feed(self, data: bytes) -> None:
        """Send on to the pod; what cannot be sent is lost."""
        if writer := await self._connected():
            with contextlib.suppress(ConnectionError):
                writer.write(data)
                await writer.drain()

    async def end_input(self) -> None:
        """Let the pod read an end; what it still sends is read on."""
        writer = await self._connected()
        if writer and not writer.is_closing():
            with contextlib.suppress(OSError):
                writer.write_eof()

    async def close(self) -> None:
        """End both directions, which ends ``run``."""
        if writer := await self._connected():
            writer.close()


def asked_ports(query: Sequence[tuple[str, str]]) -> list[int]:
    """The ports of a request, ``ports=1,2`` or ``ports=1&ports=2``. Raises RefusedError."""
    texts = [text for key, value in query if key == "ports" for text in value.split(",")]
    if not texts:
        raise bad_request('query parameter "port" is required')
    for text in texts:
        if not text.isdecimal() or not 0 < int(text) < 1 << 16:
            raise bad_request(f'unable to parse "{text}" as a port')
    return [int(text) for text in texts]


def refusal_text(port: int, pod_id: str, error: OSError) -> str:
    """What the kubelet says when the pod's port cannot be reached."""
    return (
        f"error forwarding port {port} to pod {pod_id}, uid : failed to execute portforward in "
        f'network namespace "/var/run/netns/cni-{pod_id[:8]}": failed to connect to '
        f'localhost:{port} inside namespace "{pod_id}", {error} '
    )


async def _dial(pod: RunningPod, port: int) -> socket.socket:
    """Connect, IPv4 first. Raises OSError that names both attempts."""
    said = []
    for family, address, words in _LOOPBACK:
        connection = pod.socket(family)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
        except OSError as error:
            connection.close()
            said.append(f"{words}:{port}: connect: {os.strerror(error.errno or 0).lower()}")
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise OSError(" ".join(said))
