"""What is said to a proxy before it leads on: CONNECT (RFC 9110, 9.3.6) or SOCKS 5 (RFC 1928)."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from erlconnect.api import remember

if TYPE_CHECKING:
    import socket

_MAX_ANSWER_BYTES: Final = 16 * 1024
_DEFAULT_PORTS: Final = {"http": 80, "socks5": 1080}
_SOCKS: Final = 5
_NO_AUTHENTICATION: Final = 0
_PASSWORD: Final = 2
_NAME: Final = 3
# How many bytes of an address follow, by its type: IPv4, IPv6. A name says its length itself.
_ADDRESS_BYTES: Final = {1: 4, 4: 16}
_SOCKS_WORDS: Final = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "timed out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy's URL in parts."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Proxy:
        """Read the URL of a proxy that ``proxies`` has accepted."""
        parts = urlsplit(url)
        password = unquote(parts.password or "")
        remember(password)
        return cls(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or _DEFAULT_PORTS[parts.scheme],
            user=unquote(parts.username or ""),
            password=password,
        )


async def pass_proxy(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Ask the proxy at the other end of ``sock`` for ``host``; ``OSError`` where it refuses."""
    if proxy.scheme == "socks5":
        await _socks(sock, proxy, host, port)
    else:
        await _connect(sock, proxy, host, port)


async def _connect(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.user:
        pair = f"{proxy.user}:{proxy.password}".encode()
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}")
    await _send(sock, "\r\n".join([*lines, "", ""]).encode())
    answer = b""
    # Not a byte more may be read: what follows belongs to TLS.
    while not answer.endswith(b"\r\n\r\n"):
        answer += await _read(sock, 1)
        if len(answer) > _MAX_ANSWER_BYTES:
            raise _refused(proxy, "an answer without an end")
    status = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if status.split()[1:2] != ["200"]:
        raise _refused(proxy, status)


async def _socks(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    methods = [_NO_AUTHENTICATION, *([_PASSWORD] if proxy.user else [])]
    await _send(sock, bytes([_SOCKS, len(methods), *methods]))
    version, method = await _read(sock, 2)
    if version != _SOCKS or method not in methods:
        raise _refused(proxy, "it wants another way to log in")
    if method == _PASSWORD:
        await _log_in(sock, proxy)
    name = host.encode("idna")
    await _send(sock, bytes([_SOCKS, 1, 0, _NAME, len(name)]) + name + port.to_bytes(2, "big"))
    _, reply, _, kind = await _read(sock, 4)
    if reply:
        raise _refused(proxy, _SOCKS_WORDS.get(reply, f"code {reply}"))
    length = _ADDRESS_BYTES.get(kind) or (await _read(sock, 1))[0]
    await _read(sock, length + 2)


async def _log_in(sock: socket.socket, proxy: Proxy) -> None:
    user, password = proxy.user.encode(), proxy.password.encode()
    await _send(sock, bytes([1, len(user)]) + user + bytes([len(password)]) + password)
    _, refused = await _read(sock, 2)
    if refused:
        raise _refused(proxy, "its password is not accepted")


async def _send(sock: socket.socket, content: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, content)


async def _read(sock: socket.socket, length: int) -> bytes:
    content = b""
    while len(content) < length:
        piece = await asyncio.get_running_loop().sock_recv(sock, length - len(content))
        if not piece:
            raise ConnectionResetError("the proxy closed the connection")
        content += piece
    return content


def _refused(proxy: Proxy, words: str) -> ConnectionError:
    where = f"{proxy.host}:{proxy.port}"
    return ConnectionRefusedError(f"the proxy {where} does not lead there: {words}")
