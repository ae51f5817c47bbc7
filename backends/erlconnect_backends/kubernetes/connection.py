"""Connections to an API server, and one HTTP request on each of them.

``open_connection`` connects a socket, directly or through a proxy, and makes the TLS handshake, in
which the certificate is always checked. ``exchange`` sends one request over such a connection, and
``websocket`` speaks its own protocol over one. An issuer of identity tokens (``oidc``) is asked in
the same way. Nothing here has a deadline of its own.

asyncio's streams are not used: one that is cancelled during its TLS handshake stays open.

Which proxy counts: the kubeconfig's, or else the environment's as Go's programs read it
(https://pkg.go.dev/golang.org/x/net/http/httpproxy). It is asked by CONNECT (RFC 9110, 9.3.6) or
SOCKS 5 (RFC 1928).
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol, cast
from urllib.parse import quote, unquote, urlsplit

from erlconnect.api import (
    HttpConnection,
    HttpError,
    HttpRequest,
    HttpTooLongError,
    IncompleteAnswerError,
    remember,
    tls_handshake,
)
from erlconnect.net.sockets import connected, receive_exactly
from erlconnect_backends.kubernetes import errors as failures

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterator, Mapping
    from urllib.parse import SplitResult

    from erlconnect.api import HttpResponse, Tls

PROXY_SCHEMES: Final = ("http", "socks5")
_DEFAULT_PROXY_PORTS: Final = {"http": 80, "socks5": 1080}
# What stands in a path as it is, and the "%" of what is quoted already (RFC 3986, 3.3).
_PATH_CHARACTERS: Final = "/%:@!$&'()*+,;=~"
_RECEIVE_BYTES: Final = 64 * 1024
# More than a TLS record ever holds (RFC 8446, 5.1 and 5.2).
_RECORD_BYTES: Final = 32 * 1024
_TLS_PIECE_BYTES: Final = 256 * 1024
_CLOSED: Final = "the server closed the connection"
_PROXY_CLOSED: Final = "the proxy closed the connection"

# RFC 1928: the version, the methods of logging in, the type of an address that is a name.
_SOCKS_VERSION: Final = 5
_SOCKS_NO_AUTHENTICATION: Final = 0
_SOCKS_PASSWORD: Final = 2
_SOCKS_CONNECT: Final = 1
_SOCKS_NAME: Final = 3
# How many bytes of an address follow, by its type: IPv4, IPv6. A name begins with its length.
_SOCKS_ADDRESS_BYTES: Final = {1: 4, 4: 16}
_SOCKS_REPLIES: Final = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "timed out",
}
# RFC 1929: the version of the log-in by a password.
_SOCKS_PASSWORD_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a server is: its URL without a query, and the URL of the proxy, empty without one."""

    url: SplitResult
    proxy: str

    @property
    def host(self) -> str:
        """The server's host, without brackets."""
        return self.url.hostname or ""

    @property
    def port(self) -> int:
        """The server's port."""
        return self.url.port or (443 if self.url.scheme == "https" else 80)

    @property
    def authority(self) -> str:
        """The value of the header ``Host``."""
        return self.url.netloc

    @property
    def path_prefix(self) -> str:
        """What stands before ``/api`` in every path, as behind Rancher; usually nothing."""
        return quote(self.url.path, safe=_PATH_CHARACTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The user's credentials: headers for every request, and TLS with a client's certificate.

    ``tls`` is ``None`` for plain HTTP, which goes to this machine only (``kubectl proxy``).
    """

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    tls: ssl.SSLContext | None
    tls_server_name: str
    certificate: bytes = b""

    def differ_from(self, others: Credentials) -> bool:
        """Return whether the server may answer these otherwise than ``others``."""
        return (self.headers, self.certificate) != (others.headers, others.certificate)


@asynccontextmanager
async def exchange(
    endpoint: Endpoint,
    credentials: Credentials,
    target: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    content_type: str = "application/json",
) -> AsyncIterator[HttpResponse]:
    """Ask for ``target``, a quoted path with its query; leaving the context closes the connection.

    Raises ``OSError`` and ``HttpError``, as reading the response does.
    """
    headers = [
        ("Host", endpoint.authority),
        ("Accept", "application/json"),
        ("User-Agent", "erlconnect"),
        # Each request has a connection of its own, so that a cancelled one leaves nothing behind.
        ("Connection", "close"),
        # UTF-8, as Go sends it: ``HttpRequest`` takes each character for one byte.
        *((name, text.encode().decode("latin-1")) for name, text in credentials.headers),
        *([("Content-Type", content_type)] if body else []),
    ]
    request = HttpRequest(
        method=method, target=f"{endpoint.path_prefix}{target}", headers=headers, body=body
    )
    connection = await open_connection(endpoint, credentials)
    with connection.wire:
        yield await HttpConnection(connection).request(request)


async def open_connection(endpoint: Endpoint, credentials: Credentials) -> Connection:
    """Return a connection to ``endpoint``, after the TLS handshake where it speaks TLS.

    Raises ``OSError``, as which TLS and proxies fail too. Cancelled, it leaves no socket behind.
    """
    wire = await _connected_wire(endpoint)
    try:
        if credentials.tls is None:
            return Connection(wire=wire, layer=PlainLayer())
        session = await _tls_session(wire, credentials.tls, credentials.tls_server_name)
        return Connection(wire=wire, layer=TlsLayer(session))
    except BaseException:
        wire.close()
        raise


async def _connected_wire(endpoint: Endpoint) -> socket.socket:
    if not endpoint.proxy:
        return await connected(endpoint.host, endpoint.port)
    proxy = Proxy.of(endpoint.proxy)
    wire = await connected(proxy.host, proxy.port)
    try:
        await proxy_connect(wire, proxy, endpoint.host, endpoint.port)
    except BaseException:
        wire.close()
        raise
    return wire


async def _tls_session(wire: socket.socket, context: ssl.SSLContext, name: str) -> Tls:
    try:
        session = await tls_handshake(wire, context, server_name=name or None)
    except ConnectionResetError as error:
        if error.errno:
            raise
        # The handshake's own error for the end of the stream; here it has the usual words.
        raise ConnectionResetError(_CLOSED) from error
    # In TLS 1.3 the client has the last word; the server answers nothing before it.
    await session.send(wire)
    return session


async def send(wire: socket.socket, data: bytes) -> None:
    """Send ``data`` as it is."""
    await asyncio.get_running_loop().sock_sendall(wire, data)


async def received(wire: socket.socket) -> memoryview:
    """Return the next bytes, undecrypted. Raises ``OSError``, at the end of the stream too."""
    data = await asyncio.get_running_loop().sock_recv(wire, _RECEIVE_BYTES)
    if not data:
        raise ConnectionResetError(_CLOSED)
    return memoryview(data)


class Layer(Protocol):
    """What lies between a socket and the protocol above it: TLS, or nothing. Bytes in, bytes out.

    It does not touch the socket. So the same layer is used in asyncio while a connection is made,
    and by one blocking thread afterwards.
    """

    def early(self) -> bytes | None:
        """Return once what came together with the end of the handshake; ``None`` without any.

        Empty bytes mean that the other side has ended. Raises ``ssl.SSLError``.
        """

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        """Take bytes of the socket, none for its end, and yield what they hold.

        Each piece is valid until the next one is asked for; an empty one is the other side's end.
        Raises ``ssl.SSLError``.
        """

    def send(self, data: bytes) -> None:
        """Take bytes for the other side."""

    def outgoing(self) -> bytes:
        """Return bytes for the socket; none where there are no more for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A non-blocking socket and its layer, as a ``Stream``; the caller closes ``wire``."""

    wire: socket.socket
    layer: Layer

    async def send(self, data: bytes) -> None:
        """Send ``data``. Raises ``OSError``."""
        self.layer.send(data)
        await send(self.wire, self.layer.outgoing())

    async def receive(self) -> bytes:
        """Return the next bytes; empty at the end. Raises ``OSError``."""
        early = self.layer.early()
        if early is not None:
            return early
        while True:
            data = await asyncio.get_running_loop().sock_recv(self.wire, _RECEIVE_BYTES)
            pieces = [bytes(piece) for piece in self.layer.receive(memoryview(data))]
            # A part of a TLS record, or a session ticket, holds nothing for the caller.
            if pieces or not data:
                return b"".join(pieces)


class PlainLayer:
    """No layer at all, as to ``kubectl proxy`` on this machine."""

    def __init__(self) -> None:
        self._outgoing: list[bytes] = []

    def early(self) -> bytes | None:
        """Return ``None``: there is no handshake."""
        return None

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        """Yield ``data`` as it is."""
        yield data

    def send(self, data: bytes) -> None:
        """Keep ``data`` for ``outgoing``."""
        self._outgoing.append(data)

    def outgoing(self) -> bytes:
        """Return all that was sent."""
        kept, self._outgoing = self._outgoing, []
        return kept[0] if len(kept) == 1 else b"".join(kept)


class TlsLayer:
    """The client's side of a TLS session whose handshake is over."""

    def __init__(self, session: Tls) -> None:
        self._session = session
        self._plain = memoryview(bytearray(_TLS_PIECE_BYTES + _RECORD_BYTES))

    def early(self) -> bytes | None:
        """Decrypt what has come already."""
        # In TLS 1.2 the server has the last word, so that data may follow in the same segment.
        if not self._session.incoming.pending:
            return None
        pieces = [bytes(piece) for piece in self._decrypted()]
        return b"".join(pieces) if pieces else None

    def receive(self, data: memoryview) -> Iterator[memoryview]:
        """Decrypt all that is complete, in as few pieces as there is room for."""
        if data:
            self._session.incoming.write(data)
        else:
            self._session.incoming.write_eof()
        yield from self._decrypted()

    def send(self, data: bytes) -> None:
        """Encrypt ``data``."""
        self._session.object.write(data)

    def outgoing(self) -> bytes:
        """Return what was encrypted, and what TLS itself answers."""
        return self._session.outgoing.read()

    def _decrypted(self) -> Iterator[memoryview]:
        filled = 0
        try:
            while size := self._read_record(self._plain[filled:]):
                filled += size
                # Without room for another whole record, what is there goes out first.
                if filled > _TLS_PIECE_BYTES:
                    yield self._plain[:filled]
                    filled = 0
        except ssl.SSLWantReadError:
            if filled:
                yield self._plain[:filled]
            return
        # close_notify has come: the empty piece below is the end.
        except ssl.SSLZeroReturnError:
            pass
        if filled:
            yield self._plain[:filled]
        yield self._plain[:0]

    def _read_record(self, room: memoryview) -> int:
        return cast("int", self._session.object.read(len(room), room))


def proxy_for(
    server: SplitResult, configured: str, environment: Mapping[str, str], context: str
) -> str:
    """Return the URL of the proxy to ``server``, empty where none is needed.

    ``configured`` is the kubeconfig's, which counts more than ``environment``. Raises
    ``ConfigurationError`` for a proxy of another kind than ``PROXY_SCHEMES``.
    """
    proxy = configured or _of_environment(server, environment)
    # HTTPS_PROXY is often HOST:PORT alone, which means an HTTP proxy.
    if proxy and "//" not in proxy:
        proxy = f"http://{proxy}"
    parts = urlsplit(proxy)
    if proxy and (parts.scheme not in PROXY_SCHEMES or not parts.hostname):
        raise failures.unknown_proxy(context, parts, PROXY_SCHEMES)
    return proxy


def _of_environment(server: SplitResult, environment: Mapping[str, str]) -> str:
    host = server.hostname or ""
    # As Go: this machine is never asked through a proxy of the environment.
    if _on_this_machine(host) or _excluded(host, server.port, _variable("NO_PROXY", environment)):
        return ""
    return _variable(f"{server.scheme.upper()}_PROXY", environment)


def _variable(name: str, environment: Mapping[str, str]) -> str:
    # Empty counts as absent; where both spellings are set, Go takes the one in capitals.
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
    # A rule fits a domain and all below it, with or without a leading dot or star.
    return name == "*" or host == name.lstrip("*.") or host.endswith(f".{name.lstrip('*.')}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


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
        """Read the URL of a proxy that ``proxy_for`` has accepted."""
        parts = urlsplit(url)
        password = unquote(parts.password or "")
        # From here on it is kept out of every output.
        remember(password)
        return cls(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or _DEFAULT_PROXY_PORTS[parts.scheme],
            user=unquote(parts.username or ""),
            password=password,
        )


async def proxy_connect(wire: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Have the proxy at the other end of ``wire`` connect to ``host``.

    Afterwards everything that ``wire`` carries is the server's. Raises ``OSError`` where the proxy
    refuses.
    """
    if proxy.scheme == "socks5":
        await _socks(wire, proxy, host, port)
    else:
        await _connect(wire, proxy, host, port)


async def _connect(wire: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    # An IPv6 address stands in brackets before a port (RFC 3986, section 3.2.2).
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = [("Host", authority)]
    if proxy.user:
        pair = f"{proxy.user}:{proxy.password}".encode()
        headers.append(("Proxy-Authorization", f"Basic {base64.b64encode(pair).decode()}"))
    request = HttpRequest(method="CONNECT", target=authority, headers=headers)
    try:
        stream = Connection(wire=wire, layer=PlainLayer())
        response = await HttpConnection(stream).request(request)
    except IncompleteAnswerError:
        raise ConnectionResetError(_PROXY_CLOSED) from None
    except HttpTooLongError:
        raise _refused(proxy, "an answer without an end") from None
    except HttpError:
        raise _refused(proxy, "it does not speak HTTP") from None
    # Any 2xx means that the tunnel is open (RFC 9110, section 9.3.6).
    if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        raise _refused(proxy, f"HTTP/1.1 {response.status} {_phrase(response.status)}".rstrip())
    if response.trailing:
        # The server waits for our first bytes, in TLS as in HTTP: these are the proxy's own.
        raise _refused(proxy, "it sent something before anything was said to the server")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


async def _socks(wire: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    methods = [_SOCKS_NO_AUTHENTICATION, *([_SOCKS_PASSWORD] if proxy.user else [])]
    await send(wire, bytes([_SOCKS_VERSION, len(methods), *methods]))
    version, method = await _read(wire, 2)
    if version != _SOCKS_VERSION or method not in methods:
        raise _refused(proxy, "it wants another way to log in")
    # The proxy chooses among the methods that were offered (RFC 1928, section 3).
    if method == _SOCKS_PASSWORD:
        await _log_in(wire, proxy)
    # By its name: the proxy may be the only one that can resolve it.
    name = host.encode("idna")
    head = bytes([_SOCKS_VERSION, _SOCKS_CONNECT, 0, _SOCKS_NAME, len(name)])
    await send(wire, head + name + port.to_bytes(2, "big"))
    _, reply, _, kind = await _read(wire, 4)
    if reply:
        raise _refused(proxy, _SOCKS_REPLIES.get(reply, f"code {reply}"))
    # The proxy's own address and port end the reply (RFC 1928, section 6): read, and not used.
    length = _SOCKS_ADDRESS_BYTES.get(kind) or (await _read(wire, 1))[0]
    await _read(wire, length + 2)


async def _log_in(wire: socket.socket, proxy: Proxy) -> None:
    user, password = proxy.user.encode(), proxy.password.encode()
    head = bytes([_SOCKS_PASSWORD_VERSION, len(user)])
    await send(wire, head + user + bytes([len(password)]) + password)
    _, refused = await _read(wire, 2)
    if refused:
        raise _refused(proxy, "its password is not accepted")


async def _read(wire: socket.socket, length: int) -> bytes:
    # Not a byte more may be read: what follows belongs to TLS.
    try:
        return await receive_exactly(wire, length)
    except EOFError as error:
        raise ConnectionResetError(_PROXY_CLOSED) from error


def _refused(proxy: Proxy, words: str) -> ConnectionError:
    where = f"{proxy.host}:{proxy.port}"
    return ConnectionRefusedError(f"the proxy {where} does not lead there: {words}")
