"""One port over SPDY without a websocket, against the frames of the double."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world.kubernetes.spdy_frames import Data, FrameReader, FrameWriter, Opened, Ping

from erlconnect_backends.kubernetes.spdy import SpdyStreams

PORT = 4369
ERROR, DATA = 1, 3
GO_AWAY = b"\x80\x03\x00\x07\x00\x00\x00\x08" + bytes(8)
RESET = b"\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00\x05"


def heard(streams: SpdyStreams, said: bytes) -> bytes:
    return b"".join(map(bytes, streams.receive(memoryview(said))))


def test_a_pair_of_streams_is_asked_for_and_whether_that_was_heard() -> None:
    asked = list(FrameReader().feed(SpdyStreams().opening(PORT)))

    headers = {"port": "4369", "requestid": "0"}
    assert asked == [
        Opened(stream=ERROR, headers={"streamtype": "error", **headers}, ended=False),
        Opened(stream=DATA, headers={"streamtype": "data", **headers}, ended=False),
        Data(stream=ERROR, data=b"", ended=True),
        Ping(number=1),
    ]


def test_data_is_framed_for_its_stream() -> None:
    said = SpdyStreams().data_head(5) + b"hello"

    assert list(FrameReader().feed(said)) == [Data(stream=DATA, data=b"hello", ended=False)]


def test_a_port_is_open_when_the_stream_of_data_is_accepted() -> None:
    streams, server = SpdyStreams(), FrameWriter()

    assert heard(streams, server.reply(ERROR)) == b""
    assert not streams.opened
    assert heard(streams, server.reply(DATA)) == b""
    assert streams.opened
    assert not streams.answered
    assert heard(streams, server.ping(1)) == b""
    assert streams.answered


def test_a_question_of_the_other_side_is_answered_with_itself() -> None:
    streams, server = SpdyStreams(), FrameWriter()
    heard(streams, server.ping(2))

    assert streams.replies() == server.ping(2)
    assert streams.replies() == b""


def test_what_the_kubelet_says_is_kept_on_one_line_and_within_bounds() -> None:
    streams, server = SpdyStreams(), FrameWriter()
    heard(streams, server.data(ERROR, b"connection\nrefused ") + server.data(ERROR, b"x" * 9000))

    assert streams.error.startswith("connection refused xxx")
    assert len(streams.error) == 4000


@pytest.mark.parametrize("end", [FrameWriter().end(DATA), GO_AWAY, RESET])
def test_there_are_three_ends(end: bytes) -> None:
    streams = SpdyStreams()
    heard(streams, FrameWriter().end(ERROR))
    assert not streams.ended
    heard(streams, end)
    assert streams.ended


@given(st.lists(st.integers(0, 400), max_size=12))
def test_it_does_not_matter_where_the_bytes_are_cut(cuts: list[int]) -> None:
    server = FrameWriter()
    said = server.reply(ERROR) + server.reply(DATA) + server.ping(1)
    said += server.data(DATA, b"a" * 100) + server.data(ERROR, b"no") + server.data(DATA, b"")
    said += server.ping(4) + server.data(DATA, b"b" * 100) + server.end(DATA)
    streams = SpdyStreams()
    places = [0, *sorted(min(cut, len(said)) for cut in cuts), len(said)]

    pieces = [said[start:end] for start, end in pairwise(places)]
    assert b"".join(heard(streams, piece) for piece in pieces) == b"a" * 100 + b"b" * 100
    assert (streams.opened, streams.answered, streams.ended) == (True, True, True)
    assert (streams.error, streams.replies()) == ("no", server.ping(4))
