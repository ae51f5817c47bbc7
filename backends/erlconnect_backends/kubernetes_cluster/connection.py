"""Opens streams to an API server: directly or through its proxy, with TLS that is always checked.

Refuses to know what is said over them.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final

from erlconnect_backends.kubernetes_cluster.proxy_dialog import Proxy, pass_proxy

if TYPE_CHECKING:
    from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess, Credentials

# For an address that does not answer, where there is another one to try.
_ADDRESS_SECONDS: Final = 3.0


async def open_stream(
    access: ClusterAccess, credentials: Credentials
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Give a stream to the API server, after TLS where it speaks TLS; the caller closes it.

    Raises ``OSError``, as which TLS and proxies fail too. It has no deadline of its own. Cancelled,
    it leaves no connection behind.
    """
    sock = await connected_socket(access)
    try:
        return await asyncio.open_connection(
            sock=sock,
            ssl=credentials.tls,
            server_hostname=credentials.tls_server_name if credentials.tls else None,
        )
    except BaseException:
        sock.close()
        raise


async def connected_socket(access: ClusterAccess) -> socket.socket:
    """Give a non-blocking socket to the API server, through its proxy, before any TLS.

    The caller owns it. Raises ``OSError``. It has no deadline of its own. Cancelled, it leaves no
    connection behind.
    """
    if not access.proxy:
        return await _connected(access.host, access.port)
    proxy = Proxy.of(access.proxy)
    sock = await _connected(proxy.host, proxy.port)
    try:
        await pass_proxy(sock, proxy, access.host, access.port)
    except BaseException:
        sock.close()
        raise
    return sock


async def _connected(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for family, _, _, _, address in addresses[:-1]:
        try:
            async with asyncio.timeout(_ADDRESS_SECONDS):
                return await _connected_to(family, address)
        except OSError:  # TimeoutError is one
            continue
    family, _, _, _, address = addresses[-1]
    return await _connected_to(family, address)


async def _connected_to(family: int, address: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
