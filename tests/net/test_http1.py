"""HTTP/1.1 as a client: against the servers of the standard library and aiohttp, and rubbish."""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import asynccontextmanager, nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from aiohttp import WSMsgType, web
from hypothesis import given
from hypothesis import strategies as st
from plugins.transports.own_network import run_in_own_network
from plugins.transports.sockets import listening, silent
from world.ports import free_port
from world.proxies import connect_proxy
from world.waiting import wait_until

from erlconnect.net.http1 import (
    MAX_HEAD_BYTES,
    Headers,
    HttpConnection,
    HttpError,
    HttpProxy,
    HttpRequest,
    HttpResponse,
    IncompleteAnswerError,
    TooLongError,
    open_stream,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

HOST = ("Host", "server.example")
GET = HttpRequest(target="/", headers=[HOST])
OK = b"HTTP/1.1 200 OK\r\n"


class Scripted:
    """A stream that has these pieces and then its end, or is silent."""

    def __init__(self, *pieces: bytes, silent: bool = False) -> None:
        self.sent = b""
        self._pieces = [*pieces]
        self._silent = silent

    async def send(self, data: bytes) -> None:
        self.sent += data

    async def receive(self) -> bytes:
        if not self._pieces and self._silent:
            await asyncio.Event().wait()
        return self._pieces.pop(0) if self._pieces else b""


async def answer(*pieces: bytes, request: HttpRequest = GET, silent: bool = False) -> HttpResponse:
    stream = Scripted(*pieces, silent=silent)
    return await HttpConnection(stream).request(request, seconds=0.5 if silent else None)


async def body(*pieces: bytes) -> bytes:
    return await (await answer(*pieces)).read()


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def echo() -> Iterator[tuple[str, int]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield "127.0.0.1", server.server_port
        server.shutdown()
        thread.join()


async def test_a_body_goes_out_and_comes_back(echo: tuple[str, int]) -> None:
    content = bytes(range(256)) * 4096
    request = HttpRequest(method="POST", target="/", headers=[HOST], body=content)
    async with open_stream(echo) as stream:
        response = await HttpConnection(stream).request(request, seconds=10)
        assert response.status == 200
        assert response.headers["CONTENT-length"] == str(len(content))
        assert await response.read() == content


@asynccontextmanager
async def aiohttp_server() -> AsyncIterator[tuple[str, int]]:
    """Watches in chunks at ``/watch``, and a websocket that echoes at ``/socket``."""

    async def watch(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for piece in (b'{"one":', b" 1}\n{}\n\n", b'{"half'):
            await response.write(piece)
        await response.write_eof()
        return response

    async def socket(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        await websocket.send_str("hello")
        async for message in websocket:
            if message.type is WSMsgType.TEXT:
                await websocket.send_str(message.data)
        return websocket

    app = web.Application()
    app.add_routes([web.get("/watch", watch), web.get("/socket", socket)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = runner.addresses[0]
        yield address[0], address[1]
    finally:
        await runner.cleanup()


async def test_lines_of_a_chunked_answer_come_as_they_are_sent() -> None:
    async with aiohttp_server() as place, open_stream(place) as stream:
        request = HttpRequest(target="/watch", headers=[HOST])
        response = await HttpConnection(stream).request(request, seconds=10)
        assert [line async for line in response.lines()] == [b'{"one": 1}', b"{}"]


async def test_an_upgrade_leaves_the_stream_to_the_other_protocol() -> None:
    headers = [
        HOST,
        *(("Connection", "Upgrade"), ("Upgrade", "websocket")),
        *(("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")),
    ]
    async with aiohttp_server() as place, open_stream(place) as stream:
        request = HttpRequest(target="/socket", headers=headers)
        response = await HttpConnection(stream).request(request, seconds=10)
        assert (response.status, response.headers["upgrade"]) == (101, "websocket")
        received = response.trailing
        while len(received) < 7:
            received += await stream.receive()
        assert received == b"\x81\x05hello"
        await stream.send(b"\x88\x80\x00\x00\x00\x00")  # a websocket's close


async def test_a_tunnel_that_was_granted_has_what_followed() -> None:
    request = HttpRequest(method="CONNECT", target="a:443", headers=[("Host", "a:443")])
    granted = await answer(OK + b"\r\n\x16\x03", request=request)
    assert (granted.status, granted.trailing) == (200, b"\x16\x03")


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Content-Length: 5\r\n\r\nhello, and what nobody asked for",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nTrailer: x\r\n\r\n",
        b"\r\nhello",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_a_body_has_the_end_that_its_head_says(rest: bytes, size: int) -> None:
    whole = b"HTTP/1.1 100 Continue\r\n\r\n" + OK + rest
    assert await body(*(whole[at : at + size] for at in range(0, len(whole), size))) == b"hello"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"HTTP/1.",
        OK,
        OK + b"Content-Length: 10\r\n\r\n[]",
        OK + b"Transfer-Encoding: chunked\r\n\r\nff\r\n[",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n",
    ],
)
async def test_an_answer_that_was_cut_off_is_told(content: bytes) -> None:
    with pytest.raises(IncompleteAnswerError):
        await body(content)


@pytest.mark.parametrize(
    "content",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"Content-Length: many\r\n\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
async def test_what_is_no_http_is_told_at_once(content: bytes) -> None:
    stream = Scripted(content, silent=True)
    with pytest.raises(HttpError, match="not HTTP"):
        await (await HttpConnection(stream).request(GET, seconds=5)).read()


async def test_nothing_may_be_endless() -> None:
    with pytest.raises(TooLongError):
        await body(OK + b"X: " + b"x" * (MAX_HEAD_BYTES + 1))
    with pytest.raises(TooLongError):
        await body(b"HTTP/1.1 102 Processing\r\n\r\n" * 20)
    endless = await answer(OK + b"\r\n", bytes(10), bytes(10))
    with pytest.raises(TooLongError, match="19"):
        await endless.read(limit=19)
    for pieces in ((b"x" * 20,), (b"x" * 20 + b"\n",), (b"x" * 8, b"x" * 8, b"x" * 8)):
        line = await answer(OK + b"\r\n", *pieces)
        with pytest.raises(TooLongError, match="a line"):
            _ = [one async for one in line.lines(limit=16)]


async def test_silence_has_a_deadline() -> None:
    with pytest.raises(TimeoutError):
        await answer(silent=True)
    begun = await answer(OK + b"\r\nfirst", silent=True)
    pieces = begun.pieces(idle_seconds=0.05)
    assert await anext(pieces) == b"first"
    with pytest.raises(TimeoutError):
        await anext(pieces)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [HOST, ("X-Token", "secret\r\nX-Evil: 1")],
        [HOST, ("X-Token", "secret\u20ac")],
        [HOST, ("X Token", "secret")],
    ],
)
async def test_a_request_that_cannot_be_sent_is_not_quoted(
    headers: Sequence[tuple[str, str]],
) -> None:
    stream = Scripted()
    with pytest.raises(ValueError, match="HTTP cannot carry") as caught:
        await HttpConnection(stream).request(HttpRequest(target="/", headers=headers))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert stream.sent == b""


@given(st.lists(st.binary(max_size=40), max_size=8), st.sampled_from([b"", b"HTTP/1.1 ", OK]))
def test_whatever_comes_is_an_answer_or_one_of_the_errors(
    pieces: list[bytes], start: bytes
) -> None:
    with suppress(HttpError, IncompleteAnswerError):
        asyncio.run(body(start, *[piece for piece in pieces if piece]))


def test_headers_are_found_in_any_spelling() -> None:
    headers = Headers([(b"X-One", b"1"), (b"x-one", b"2"), (b"Other", b"\xe9")])
    assert headers["X-ONE"] == "1, 2"
    assert headers.get("other") == "\u00e9"
    assert headers.get("none") is None
    assert [*headers] == ["x-one", "other"]
    assert len(headers) == 2


@pytest.mark.parametrize(
    ("dialled", "first_line"),
    [
        ('open_stream(("server.test", 4444))', "taken"),
        (
            'open_stream(("other.test", 1), proxy=HttpProxy(host="server.test", port=4444))',
            "CONNECT other.test:1 HTTP/1.1",
        ),
    ],
)
def test_a_dead_first_address_does_not_take_all_the_time(
    tmp_path: Path, dialled: str, first_line: str
) -> None:
    program = f"""
from contextlib import ExitStack
from erlconnect.net.http1 import HttpProxy, open_stream

async def answer(reader, writer):
    print((await reader.readline()).decode().rstrip() or "taken")
    writer.write(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
    await writer.drain()
    writer.close()

async def dial():
    async with await asyncio.start_server(answer, "127.0.0.1", 4444), asyncio.timeout(8):
        async with {dialled} as stream:
            await stream.send(b"\\n")
            print((await stream.receive()).decode().split()[:2])

with ExitStack() as stack:
    stack.enter_context(listener("::1", 4444)).listen(0)
    for _ in range(3):  # the queue is full then, and nobody else gets an answer
        filler = stack.enter_context(socket.socket(socket.AF_INET6))
        filler.setblocking(False)
        filler.connect_ex(("::1", 4444))
    print([found[4][0] for found in socket.getaddrinfo("server.test", 4444, type=1)])
    asyncio.run(dial())
"""
    hosts = "127.0.0.1 server.test\n::1 server.test\n"
    order, first, _ = run_in_own_network(tmp_path, program, hosts=hosts).splitlines()
    assert (order, first) == ("['::1', '127.0.0.1']", first_line)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_dial_that_is_refused_leaves_no_socket_and_says_why() -> None:
    before = open_files()
    with pytest.raises(ConnectionRefusedError):
        async with open_stream(("localhost", free_port())):
            pass
    assert open_files() == before


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("secure", [False, True])
async def test_cancelled_while_it_dials_or_shakes_hands_it_leaves_no_socket(
    *, proxied: bool, secure: bool
) -> None:
    """The first port never takes the connection; the second takes it and then says nothing."""
    tls = ssl.create_default_context() if secure else None
    with silent("127.0.0.1") as (_, dead), listening("127.0.0.1") as (_, mute):
        for port in (dead, mute):
            place, proxy = ("127.0.0.1", port), None
            if proxied:
                place, proxy = ("server.test", 1), HttpProxy(host="127.0.0.1", port=port)
            before = open_files()
            with suppress(TimeoutError):
                async with (
                    asyncio.timeout(0.3),
                    open_stream(place, tls=tls, tls_name="server.test", proxy=proxy) as stream,
                ):
                    await stream.receive()
            await until_closed(before)


async def until_closed(before: int) -> None:
    """Wait until no more files are open than before; asyncio closes a transport in a later step."""
    await asyncio.to_thread(wait_until, lambda: open_files() <= before, "the socket is closed")


@pytest.mark.parametrize("steps", range(16))
async def test_cancelled_at_any_step_it_leaves_no_socket(steps: int) -> None:
    with listening("127.0.0.1") as (_, port):
        before = open_files()

        async def dial() -> None:
            async with open_stream(("127.0.0.1", port)) as stream:
                await stream.receive()

        async with asyncio.TaskGroup() as group:
            dialling = group.create_task(dial())
            for _ in range(steps):
                await asyncio.sleep(0)
            dialling.cancel()
        assert dialling.cancelled()
        await until_closed(before)


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize(("tls_name", "trusted"), [("", True), ("node.test", False)])
async def test_the_certificate_has_to_be_for_the_host_or_the_name_that_is_given(
    tmp_path: Path, *, proxied: bool, tls_name: str, trusted: bool
) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    tls = ssl.create_default_context()
    authority.configure_trust(tls)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server) as listener:
        port = listener.sockets[0].getsockname()[1]
        with connect_proxy(tmp_path, port) as (address, _):
            proxy = HttpProxy(host="127.0.0.1", port=int(address.rpartition(":")[2]))
            opening = open_stream(
                ("localhost", port), tls=tls, tls_name=tls_name, proxy=proxy if proxied else None
            )
            with nullcontext() if trusted else pytest.raises(ssl.SSLCertVerificationError):
                async with opening as stream:
                    assert await stream.receive() == b"hello"
