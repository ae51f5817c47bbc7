"""The opening of a websocket, sans-IO, and what it tells nobody."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from erlconnect_backends.kubernetes.connection import PlainLayer
from erlconnect_backends.kubernetes.websocket import Piece, WebSocket, WebSocketFailedError

TOKEN = "token-that-nobody-may-see"
URL = "ws://127.0.0.1:6443/prefix/api/v1/x?ports=1"
SUBPROTOCOL = "v4.channel.k8s.io"
REFUSED = b"HTTP/1.1 403 Forbidden\r\nRetry-After: 7\r\nContent-Length: 5\r\n\r\nno, n"


def websocket() -> WebSocket:
    headers = [("Authorization", f"Bearer {TOKEN}"), ("User-Agent", "erlconnect")]
    return WebSocket(URL, PlainLayer(), headers=headers, subprotocols=[SUBPROTOCOL])


def received(websocket: WebSocket, data: bytes) -> list[Piece]:
    return list(websocket.receive(memoryview(data)))


def accepted(websocket: WebSocket) -> tuple[ServerProtocol, bytes, Request]:
    """The other end, by the same library, what it answers, and the request that it got."""
    quiet = logging.Logger("quiet", logging.CRITICAL)  # noqa: LOG001 - it would tell the token
    server = ServerProtocol(subprotocols=[Subprotocol(SUBPROTOCOL)], logger=quiet)
    server.receive_data(websocket.outgoing())
    (request,) = server.events_received()
    assert isinstance(request, Request)
    server.send_response(server.accept(request))
    return server, b"".join(server.data_to_send()), request


def test_the_request_has_the_path_and_all_headers() -> None:
    _, _, request = accepted(websocket())
    assert request.path == "/prefix/api/v1/x?ports=1"
    assert request.headers["Host"] == "127.0.0.1:6443"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Sec-WebSocket-Protocol"] == SUBPROTOCOL


def test_messages_that_come_with_the_agreement_are_given() -> None:
    here = websocket()
    server, answer, _ = accepted(here)
    server.send_binary(b"\x00erl")
    (piece,) = received(here, answer + b"".join(server.data_to_send()))
    assert here.open
    assert here.subprotocol == SUBPROTOCOL
    assert (bytes(piece.payload), piece.begins) == (b"\x00erl", True)


def test_a_refusal_is_kept_whole() -> None:
    here = websocket()
    assert received(here, REFUSED[:40]) == []
    assert here.refusal is None
    assert received(here, REFUSED[40:]) == []
    assert here.refusal
    assert (here.refusal.status, here.refusal.body) == (403, b"no, n")
    assert here.refusal.retry_after == "7"
    assert not here.open


@pytest.mark.parametrize(
    "answer",
    [
        b"220 smtp.example ESMTP\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_what_is_no_websocket_is_said_to_be_none(answer: bytes) -> None:
    with pytest.raises(WebSocketFailedError):
        received(websocket(), answer)


def test_an_end_in_the_middle_is_a_failure_and_a_farewell_is_none() -> None:
    here = websocket()
    server, answer, _ = accepted(here)
    received(here, answer)
    server.send_close(1000)
    received(here, b"".join(server.data_to_send()))
    assert here.over
    assert here.close_reason == ""

    here = websocket()
    _, answer, _ = accepted(here)
    received(here, answer)
    with pytest.raises(WebSocketFailedError):
        received(here, b"")


def test_a_farewell_for_a_reason_is_told() -> None:
    here = websocket()
    server, answer, _ = accepted(here)
    received(here, answer)
    server.send_close(1011, "the kubelet is ill")
    received(here, b"".join(server.data_to_send()))
    assert "the kubelet is ill" in here.close_reason


def test_a_message_without_end_costs_no_memory() -> None:
    here = websocket()
    _, answer, _ = accepted(here)
    received(here, answer)
    with pytest.raises(WebSocketFailedError):
        received(here, b"\x82\x7f" + (1 << 40).to_bytes(8, "big") + b"some of it")


@given(cuts=st.lists(st.integers(1, 200), max_size=20))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int]) -> None:
    here = websocket()
    server, answer, _ = accepted(here)
    server.send_frame(Frame(Opcode.BINARY, b"one, ", fin=False))
    server.send_frame(Frame(Opcode.PING, b"?"))
    server.send_frame(Frame(Opcode.CONT, b"two", fin=True))
    server.send_binary(b"three" * 30)
    data = answer + b"".join(server.data_to_send())
    found: list[tuple[bytes, bool]] = []
    for cut in [*cuts, len(data)]:
        part, data = data[:cut], data[cut:]
        if part:
            found += [(bytes(one.payload), one.begins) for one in received(here, part)]
    assert found == [(b"one, ", True), (b"two", False), (b"three" * 30, True)]
    server.receive_data(here.outgoing())
    (pong,) = server.events_received()
    assert isinstance(pong, Frame)
    assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"?")
    assert server.state is State.OPEN


def test_no_header_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "websockets"):
        here = websocket()
        _, answer, _ = accepted(here)
        received(here, answer)
        received(websocket(), REFUSED)
    assert TOKEN not in caplog.text
