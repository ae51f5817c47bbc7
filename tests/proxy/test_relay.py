"""The relay of one link, on real sockets: what goes in comes out, in time and in bounded memory."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from distribution import worlds
from distribution.profile import repeatable
from distribution.streams import relayed
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.name_mapping import CompiledMapping, permutation
from erlconnect.distribution.rewriter import Rewriter
from erlconnect.proxy import relay
from erlconnect.proxy.relay import Pump

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 10.0
TICK = bytes(4)
MEGABYTE = 1024 * 1024


class Direction:
    """One pump between two socketpairs: write to ``near``, read from ``far``."""

    def __init__(self, max_frame: int = 4 * MEGABYTE) -> None:
        self.near, source = socket.socketpair()
        sink, self.far = socket.socketpair()
        self.far.settimeout(SECONDS)
        self.reasons: queue.Queue[str] = queue.Queue()
        table = CompiledMapping(permutation([("app@127.0.0.1", "app@10.3.2.1.example")]))
        self.pump = Pump(
            "local",
            source=source,
            sink=sink,
            rewriter=Rewriter(table, max_frame=max_frame),
            on_end=self.reasons.put,
        )
        self._inner = (source, sink)
        self.pump.start()

    def read(self, size: int) -> bytes:
        received = bytearray()
        while len(received) < size:
            piece = self.far.recv(size - len(received))
            if not piece:
                break
            received += piece
        return bytes(received)

    def close(self) -> None:
        for sock in (self.near, self.far, *self._inner):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.pump.join(SECONDS)
        assert not self.pump.is_alive()
        for sock in (self.near, self.far, *self._inner):
            sock.close()


@pytest.fixture
def direction() -> Iterator[Direction]:
    made = Direction()
    yield made
    made.close()


def message(terms: bytes) -> bytes:
    body = b"\x83D\0" + terms
    return len(body).to_bytes(4, "big") + body


def binary(size: int) -> bytes:
    return b"m" + size.to_bytes(4, "big") + b"x" * size


def atom(name: bytes) -> bytes:
    return b"w" + bytes([len(name)]) + name


def test_a_tick_passes_at_once(direction: Direction) -> None:
    direction.near.sendall(TICK)
    assert direction.read(4) == TICK


def test_a_tick_behind_a_message_is_not_held(direction: Direction) -> None:
    direction.near.sendall(message(b"j") + TICK)
    assert direction.read(len(message(b"j")) + 4) == message(b"j") + TICK


def test_a_name_is_rewritten_and_the_length_with_it(direction: Direction) -> None:
    direction.near.sendall(message(atom(b"app@127.0.0.1")))
    expected = message(atom(b"app@10.3.2.1.example"))
    assert direction.read(len(expected)) == expected
    assert direction.pump.rewriter.rewritten == 1


def fragment(kind: bytes, left: int, piece: bytes) -> bytes:
    body = b"\x83" + kind + (5).to_bytes(8, "big") + left.to_bytes(8, "big") + piece
    return len(body).to_bytes(4, "big") + body


def test_a_frame_of_our_own_goes_out_between_two(direction: Direction) -> None:
    direction.near.sendall(message(b"j"))
    assert direction.read(len(message(b"j"))) == message(b"j")
    direction.pump.insert(message(b"a\x01"))
    assert direction.read(len(message(b"a\x01"))) == message(b"a\x01")


def test_a_frame_of_our_own_waits_for_the_rest_of_a_fragment(direction: Direction) -> None:
    """Inside a binary the beginning of a fragment goes out before its end has come."""
    control = b"h\x01a\x63"
    first = fragment(b"E", 2, b"\0" + control + b"m" + (100_000).to_bytes(4, "big") + b"x" * 20_000)
    second = fragment(b"F", 1, b"x" * 80_000)
    direction.near.sendall(first + second[:30_000])
    assert direction.read(len(first) + 30_000) == first + second[:30_000]
    direction.pump.insert(TICK)
    direction.near.sendall(second[30_000:] + message(b"j"))
    expected = second[30_000:] + TICK + message(b"j")
    received = direction.read(len(expected))
    assert received in (expected, second[30_000:] + message(b"j") + TICK)


def test_a_frame_larger_than_every_buffer(direction: Direction) -> None:
    frame = message(binary(3 * MEGABYTE))
    threading.Thread(target=direction.near.sendall, args=(frame,), daemon=True).start()
    assert direction.read(len(frame)) == frame
    direction.near.sendall(message(b"j"))
    assert direction.read(len(message(b"j"))) == message(b"j")


def test_a_frame_beyond_max_frame_ends_the_link_with_that_reason(direction: Direction) -> None:
    direction.near.sendall((5 * MEGABYTE).to_bytes(4, "big") + b"\x83D\0")
    reason = direction.reasons.get(timeout=SECONDS)
    assert "max-frame" in reason
    assert "local" in reason


def test_garbage_ends_the_link_with_a_protocol_error(direction: Direction) -> None:
    direction.near.sendall(b"\0\0\0\x04GET ")
    assert "protocol error of the local node" in direction.reasons.get(timeout=SECONDS)


def test_the_end_of_the_source_is_told(direction: Direction) -> None:
    direction.near.close()
    assert direction.reasons.get(timeout=SECONDS) == "the local node closed the connection"


def test_a_sink_that_does_not_read_stops_the_source(direction: Direction) -> None:
    """Memory stays: what the source has sent and the sink has not read is in no buffer of ours."""
    direction.near.settimeout(0.5)
    assert fill(direction.near, limit=64 * MEGABYTE) < 8 * MEGABYTE


def fill(sock: socket.socket, limit: int) -> int:
    """Send whole messages until nobody takes more; return how many bytes went."""
    sent = 0
    try:
        while sent < limit:
            sent += sock.send(message(binary(60_000)))
    except TimeoutError:
        pass
    return sent


def test_a_length_that_lies_costs_no_memory() -> None:
    before = resident()
    direction = Direction(max_frame=256 * MEGABYTE)
    try:
        direction.near.sendall((200 * MEGABYTE).to_bytes(4, "big") + b"\x83D\0" + b"x" * 100_000)
        direction.near.sendall(b"x" * 100_000)
        assert resident() - before < 16 * MEGABYTE
    finally:
        direction.close()


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_a_sink_that_is_gone_is_named_as_the_one_that_went(direction: Direction) -> None:
    direction.far.close()
    direction.near.sendall(message(binary(10)))
    assert direction.reasons.get(timeout=SECONDS) == "remote node: Broken pipe"


class Feeding:
    """A source that gives a stream in pieces, and a sink that takes all of it."""

    def __init__(self, stream: bytes, cuts: list[int]) -> None:
        borders = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
        self._pieces = [stream[a:b] for a, b in pairwise(borders)]
        self.sent = b""

    def recv_into(self, room: bytearray | memoryview) -> int:
        if not self._pieces:
            return 0
        assert len(room), "no room is left to read into"
        piece = self._pieces.pop(0)
        if rest := piece[len(room) :]:
            self._pieces.insert(0, rest)
        taken = min(len(piece), len(room))
        memoryview(room)[:taken] = piece[:taken]
        return taken

    def sendall(self, data: bytes | memoryview) -> None:
        self.sent += data


@repeatable
@given(worlds.conversations(), worlds.cuts(), st.sampled_from([2048, 16384, 65536]))
def test_buffers_that_serve_again_change_nothing(
    conversation: worlds.Conversation, cuts: list[int], size: int
) -> None:
    stream = conversation.stream * 2
    feeding = Feeding(stream, cuts)
    pump = Pump(
        "local",
        source=feeding,  # type: ignore[arg-type]
        sink=feeding,  # type: ignore[arg-type]
        rewriter=Rewriter(conversation.table),
        on_end=lambda _: None,
    )
    with patch.object(relay, "_SMALL", min(size, 4096)), patch.object(relay, "_USUAL", size):
        pump.run()

    assert feeding.sent == relayed(Rewriter(conversation.table), stream)
