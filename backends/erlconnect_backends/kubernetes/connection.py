"""Opens connections to an API server: directly or through its proxy, with TLS always checked.

Refuses to know what is said over them. asyncio's own streams are not taken: one that is cancelled
in the middle of its TLS handshake stays open.

Which proxy leads to an API server: the kubeconfig's, or the environment's as Go reads it.

Reference: https://pkg.go.dev/golang.org/x/net/http/httpproxy

What is said to a proxy before it leads on: CONNECT (RFC 9110, 9.3.6) or SOCKS 5 (RFC 1928).

What lies between a socket and HTTP: TLS, or nothing. Bytes in, bytes out.

Knows neither sockets nor what the bytes mean. TLS runs on memory, so that whoever reads the socket
decides when, asyncio while a connection is made and one blocking thread afterwards.

One HTTP/1.1 request to an API server on a connection of its own, and its answer as it comes.

Knows lengths, chunks and the end of a stream. Refuses to know what is asked, and to judge a status.
Specification: RFC 9112.

What comes from a connection, by lines and by pieces.

The bodies of answers: whole, line by line, as JSON. Everything has a limit.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import io
import ipaddress
import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, cast
from urllib.parse import unquote, urlsplit

from erlconnect.api import remember
from erlconnect.net.sockets import connected, receive_exactly
from erlconnect_backends.kubernetes import errors as failures

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterator, Mapping
    from urllib.parse import SplitResult

    from erlconnect_backends.kubernetes.cluster_access import ClusterAccess, Credentials

SCHEMES: Final = ("http", "socks5")


def proxy_for(
    server: SplitResult, configured: str, environment: Mapping[str, str], context: str
) -> str:
    """Return the proxy's URL, empty where the way is direct.

    Raises ``ConfigurationError`` for a proxy of another kind than ``SCHEMES``.
    """
    proxy = configured or _of_environment(server, environment)
    if proxy and "//" not in proxy:
        proxy = f"http://{proxy}"
    parts = urlsplit(proxy)
    if proxy and (parts.scheme not in SCHEMES or not parts.hostname):
        raise failures.unknown_proxy(context, parts, SCHEMES)
    return proxy


def _of_environment(server: SplitResult, environment: Mapping[str, str]) -> str:
    host = server.hostname or ""
    if _on_this_machine(host) or _excluded(host, server.port, _variable("NO_PROXY", environment)):
        return ""
    return _variable(f"{server.scheme.upper()}_PROXY", environment)


def _variable(name: str, environment: Mapping[str, str]) -> str:
    return environment.get(name) or environment.get(name.lower()) or ""


def _on_this_machine(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _excluded(host: str, port: int | None, rules: str) -> bool:
    return any(_fits(host, port, rule.strip().lower()) for rule in rules.split(",") if rule.strip())


def _fits(host: str, port: int | None, rule: str) -> bool:
    address = _address(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(rule.strip("[]"), strict=False)
        except ValueError:
            return rule in ("*", f"{host}:{port}", f"[{host}]:{port}")
    name, _, rule_port = rule.partition(":")
    if rule_port and rule_port != str(port or 443):
        return False
    return name == "*" or host == name.lstrip("*.") or host.endswith(f".{name.lstrip('*.')}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


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


async def proxy_connect(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
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
    try:
        return await receive_exactly(sock, length)
    except EOFError as error:
        raise ConnectionResetError("the proxy closed the connection") from error


def _refused(proxy: Proxy, words: str) -> ConnectionError:
    where = f"{proxy.host}:{proxy.port}"
    return ConnectionRefusedError(f"the proxy {where} does not lead there: {words}")


# More than a TLS record ever holds.
_RECORD_BYTES: Final = 32 * 1024
_TLS_PIECE_BYTES: Final = 256 * 1024


class Layer(Protocol):
    """One side of a connection, without its socket."""

    def early(self) -> bytes | None:
        """Return what came together with the last of the handshake, once; mostly ``None``.

        No bytes are the other side's end. Raises ``ssl.SSLError``.
        """

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        """Take bytes of the socket, none for its end, and give what is in them.

        Each piece holds until the next one is asked for; an empty one is the other side's end.
        Raises ``ssl.SSLError``.
        """

    def send(self, data: bytes) -> None:
        """Take bytes for the other side."""

    def outgoing(self) -> bytes:
        """Return bytes for the socket; none where there are no more for now."""


class PlainLayer:
    """No layer at all, as to ``kubectl proxy`` on this machine."""

    def __init__(self) -> None:
        self._outgoing: list[bytes] = []

    def early(self) -> bytes | None:
        """Return ``None``: there is no handshake."""
        return None

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        """Give it back."""
        yield data

    def send(self, data: bytes) -> None:
        """Keep it."""
        self._outgoing.append(data)

    def outgoing(self) -> bytes:
        """Return what was kept."""
        kept, self._outgoing = self._outgoing, []
        return kept[0] if len(kept) == 1 else b"".join(kept)


class TlsLayer:
    """The client's side of TLS."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        """``context`` decides what is verified."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_name or None
        )
        self._plain = memoryview(bytearray(_TLS_PIECE_BYTES + _RECORD_BYTES))

    def shake_hands(self, data: memoryview) -> bool:
        """Take bytes of the socket, none at first; say whether the handshake is over.

        What they hold beyond it waits for ``early`` or ``receive``. Raises ``ssl.SSLError``.
        """
        self._incoming.write(data)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def early(self) -> bytes | None:
        """Decrypt what has come already."""
        if not self._incoming.pending:
            return None
        pieces = [bytes(piece) for piece in self._decrypted()]
        return b"".join(pieces) if pieces else None

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        """Decrypt all that is complete, in as few pieces as there is room for."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        yield from self._decrypted()

    def _decrypted(self) -> Iterator[memoryview]:
        filled = 0
        try:
            while size := self._read(self._plain[filled:]):
                filled += size
                if filled > _TLS_PIECE_BYTES:
                    yield self._plain[:filled]
                    filled = 0
        except ssl.SSLWantReadError:
            if filled:
                yield self._plain[:filled]
            return
        except ssl.SSLZeroReturnError:
            pass
        if filled:
            yield self._plain[:filled]
        yield self._plain[:0]

    def _read(self, room: memoryview) -> int:
        return cast("int", self._object.read(len(room), room))

    def send(self, data: bytes) -> None:
        """Encrypt it."""
        self._object.write(data)

    def outgoing(self) -> bytes:
        """Return what was encrypted, and what the handshake has to say."""
        return self._outgoing.read()


_RECEIVE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A non-blocking socket, and what lies between it and HTTP; whoever has it closes ``wire``."""

    wire: socket.socket
    layer: Layer

    async def send(self, data: bytes) -> None:
        """Send ``data``. Raises ``OSError``."""
        self.layer.send(data)
        await send(self.wire, self.layer.outgoing())

    async def receive(self) -> bytes:
        """Return what comes next; nothing at the end. Raises ``OSError``."""
        early = self.layer.early()
        if early is not None:
            return early
        while True:
            data = await asyncio.get_running_loop().sock_recv(self.wire, _RECEIVE_BYTES)
            pieces = [bytes(piece) for piece in self.layer.receive(memoryview(data))]
            if pieces or not data:
                return b"".join(pieces)


async def open_connection(access: ClusterAccess, credentials: Credentials) -> Connection:
    """Return a connection to the API server, after TLS where it speaks TLS.

    Raises ``OSError``, as which TLS and proxies fail too. It has no deadline of its own. Cancelled,
    it leaves no socket behind.
    """
    wire = await _through_proxy(access)
    try:
        return Connection(wire=wire, layer=await _layer(wire, credentials))
    except BaseException:
        wire.close()
        raise


async def send(wire: socket.socket, data: bytes) -> None:
    """Send ``data`` as it is."""
    await asyncio.get_running_loop().sock_sendall(wire, data)


async def received(wire: socket.socket) -> memoryview:
    """Return what comes next, as it is; the end is an ``OSError``."""
    data = await asyncio.get_running_loop().sock_recv(wire, _RECEIVE_BYTES)
    if not data:
        raise ConnectionResetError("the server closed the connection")
    return memoryview(data)


async def _through_proxy(access: ClusterAccess) -> socket.socket:
    if not access.proxy:
        return await connected(access.host, access.port)
    proxy = Proxy.of(access.proxy)
    wire = await connected(proxy.host, proxy.port)
    try:
        await proxy_connect(wire, proxy, access.host, access.port)
    except BaseException:
        wire.close()
        raise
    return wire


async def _layer(wire: socket.socket, credentials: Credentials) -> Layer:
    if credentials.tls is None:
        return PlainLayer()
    tls = TlsLayer(credentials.tls, credentials.tls_server_name)
    data = memoryview(b"")
    while not tls.shake_hands(data):
        await send(wire, tls.outgoing())
        # More than the handshake may be in it: a TLS 1.2 server has the last word.
        data = await received(wire)
    await send(wire, tls.outgoing())
    return tls


class BufferedReader:
    """Keeps what was received and not asked for yet, which is one piece and one line at most."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting = b""

    async def line(self, limit: int) -> bytes:
        """Return the next line with its end; without one where it is longer or the last."""
        while b"\n" not in self._waiting and len(self._waiting) <= limit:
            piece = await self._connection.receive()
            if not piece:
                break
            self._waiting += piece
        end = self._waiting.find(b"\n") + 1 or len(self._waiting)
        line, self._waiting = self._waiting[:end], self._waiting[end:]
        return line

    async def some(self, most: int) -> bytes:
        """Return what comes next, ``most`` bytes at most; nothing at the end."""
        piece = self._waiting or await self._connection.receive()
        self._waiting = piece[most:]
        return piece[:most]


_MAX_HEAD_BYTES: Final = 64 * 1024
_MAX_LINE_BYTES: Final = 16 * 1024
_BODY_PIECE_BYTES: Final = 256 * 1024
_HEX: Final = 16
_DIGITS: Final = frozenset(b"0123456789abcdefABCDEF")


class NotHttpError(Exception):
    """What came back is no HTTP, or not what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked; ``target`` is a quoted path with its query, without the server's prefix."""

    method: str
    target: str
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The head of an answer; ``pieces`` gives its body as it arrives."""

    status: int
    headers: http.client.HTTPMessage
    pieces: AsyncIterator[bytes]


@contextlib.asynccontextmanager
async def exchange(
    access: ClusterAccess, credentials: Credentials, request: Request
) -> AsyncIterator[Response]:
    """Send ``request``; leaving the context closes the connection.

    Raises ``OSError`` and ``NotHttpError``, from ``pieces`` too. It has no deadline of its own.
    """
    connection = await open_connection(access, credentials)
    with connection.wire:
        await connection.send(_written(access, credentials, request))
        incoming = BufferedReader(connection)
        status, headers = await _head(incoming)
        yield Response(status=status, headers=headers, pieces=_body(incoming, headers))


def _written(access: ClusterAccess, credentials: Credentials, request: Request) -> bytes:
    headers = [
        ("Host", access.authority),
        ("Accept", "application/json"),
        ("User-Agent", "erlconnect"),
        ("Connection", "close"),
        *credentials.headers,
    ]
    if request.body:
        headers.append(("Content-Type", request.content_type))
        headers.append(("Content-Length", str(len(request.body))))
    lines = [f"{name}: {value}" for name, value in headers]
    first = f"{request.method} {access.path_prefix}{request.target} HTTP/1.1"
    return "\r\n".join([first, *lines, "", ""]).encode("latin-1") + request.body


async def _head(incoming: BufferedReader) -> tuple[int, http.client.HTTPMessage]:
    first = await _line(incoming)
    version, _, rest = first.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise NotHttpError
    lines, length = [], 0
    while (line := await _line(incoming)) not in (b"\r\n", b"\n"):
        lines.append(line)
        length += len(line)
        if length > _MAX_HEAD_BYTES:
            raise NotHttpError
    try:
        headers = http.client.parse_headers(io.BytesIO(b"".join([*lines, b"\r\n"])))
    except http.client.HTTPException:
        raise NotHttpError from None
    return int(rest[:3]), headers


async def _body(incoming: BufferedReader, headers: http.client.HTTPMessage) -> AsyncIterator[bytes]:
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        while length := _number((await _line(incoming)).partition(b";")[0], _HEX):
            async for piece in _exactly(incoming, length):
                yield piece
            await _line(incoming)
    elif "Content-Length" in headers:
        async for piece in _exactly(incoming, _number(headers["Content-Length"].encode(), 10)):
            yield piece
    else:
        while piece := await incoming.some(_BODY_PIECE_BYTES):
            yield piece


async def _exactly(incoming: BufferedReader, length: int) -> AsyncIterator[bytes]:
    while length:
        piece = await incoming.some(min(length, _BODY_PIECE_BYTES))
        if not piece:
            raise _cut_off()
        length -= len(piece)
        yield piece


async def _line(incoming: BufferedReader) -> bytes:
    line = await incoming.line(_MAX_LINE_BYTES)
    if len(line) > _MAX_LINE_BYTES:
        raise NotHttpError
    if not line.endswith(b"\n"):
        raise _cut_off()
    return line


def _cut_off() -> ConnectionError:
    return ConnectionResetError("the answer was cut off")


def _number(text: bytes, base: int) -> int:
    # Python takes signs and underscores, too.
    if not _DIGITS.issuperset(text.strip()):
        raise NotHttpError
    try:
        return int(text.strip(), base)
    except ValueError:
        raise NotHttpError from None


_MAX_BYTES: Final = 64 * 1024 * 1024
_MAX_SAID: Final = 2000


async def whole(response: Response) -> bytes:
    """Read to the end; ``NotHttpError`` where there is none."""
    body = bytearray()
    async for piece in response.pieces:
        body += piece
        if len(body) > _MAX_BYTES:
            raise NotHttpError
    return bytes(body)


async def lines(response: Response) -> AsyncIterator[bytes]:
    """Return the lines of an answer that comes by and by."""
    waiting = b""
    async for piece in response.pieces:
        *complete, waiting = (waiting + piece).split(b"\n")
        if len(waiting) > _MAX_BYTES:
            raise NotHttpError
        for line in complete:
            if line.strip():
                yield line


def decoded(body: bytes) -> Mapping[str, Any]:
    """Read a JSON object; ``NotHttpError`` where it is none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):  # the latter where it is nested very deeply
        # Its words would quote the answer, which may hold a secret.
        raise NotHttpError from None
    if not isinstance(content, dict):
        raise NotHttpError
    return content


def message_in(body: bytes) -> str:
    """Return what an error's body says: the message of a Status, or its text."""
    try:
        return str(decoded(body).get("message") or "")
    except NotHttpError:
        return body[:_MAX_SAID].decode(errors="replace")
