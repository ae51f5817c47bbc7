from __future__ import annotations

import random

import pytest
from distribution import streams

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.frames import (
    check_frame,
    frames_alike,
    skip_fragments,
    skip_unfragmented,
)
from erlconnect.distribution.name_mapping import CompiledMapping
from erlconnect.distribution.rewriter import Rewriter

FIRST, *BETWEEN, LAST = streams.fragments(5, b"\0", b"a\1", b"j" * 60, [10, 20, 30, 40])
OTHER = streams.fragments(6, b"\0", b"a\1", b"j" * 60, [10, 20, 30])[1]
WHOLE = streams.whole(b"\0", b"a\1j")
HEAD = 22


@pytest.mark.parametrize("behind", [LAST, FIRST, OTHER, WHOLE, streams.TICK, b"", OTHER[:9]])
def test_a_row_ends_at_what_is_no_further_fragment_of_the_message(behind: bytes) -> None:
    before = b"..."
    buffer = bytearray(before + b"".join(BETWEEN) + behind)

    pieces = skip_fragments(buffer, len(before), len(buffer), 5)
    assert [end - start for start, end in pieces] == [10, 10, 10]
    assert pieces[0][0] == len(before) + HEAD
    assert all(bytes(buffer[start:end]) == b"j" * 10 for start, end in pieces)


@pytest.mark.parametrize(("missing", "found"), [(0, 3), (1, 2), (11, 2), (32, 2), (33, 1), (96, 0)])
def test_a_fragment_that_is_not_all_there_does_not_count(missing: int, found: int) -> None:
    buffer = bytearray(b"".join(BETWEEN))

    assert len(skip_fragments(buffer, 0, len(buffer) - missing, 5)) == found


def test_a_fragment_that_ends_inside_its_head_does_not_count() -> None:
    short = (17).to_bytes(4, "big") + BETWEEN[0][4:21]
    buffer = bytearray(short + bytes(100))

    assert skip_fragments(buffer, 0, len(buffer), 5) == []


def test_fragments_in_a_row_are_counted_one_by_one() -> None:
    payload = b"l\0\0\xff\xff" + b"a\1" * 65535 + b"j"
    frames = streams.fragments(5, b"\0", b"a\1", payload, range(20_000, 130_000, 1000))
    stream = bytearray(b"".join(frames))
    rewriter = Rewriter(CompiledMapping({}))

    taken, segments = rewriter.process(stream, 0, len(stream))
    assert taken == len(stream)
    assert b"".join(map(bytes, segments)) == stream
    assert rewriter.frames == len(frames)


@pytest.mark.parametrize("kind", [b"\x83D", b"\x83E", b"\x83F", b"p\x83", b"p\0", b"p\xff"])
def test_known_kinds(kind: bytes) -> None:
    check_frame(2, int.from_bytes(kind, "big"), 100)


@pytest.mark.parametrize(
    "kind", [b"\x83C", b"\x83G", b"\x83h", b"\0\0", b"D\x83", b"o\x83", b"q\0"]
)
def test_unknown_kinds_are_named(kind: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=f"kind {kind[0]} {kind[1]}"):
        check_frame(2, int.from_bytes(kind, "big"), 100)


def test_a_frame_may_be_as_long_as_the_limit() -> None:
    check_frame(100, 0x8344, 100)
    with pytest.raises(RemoteProtocolError, match=r"101 bytes.*\(100\)"):
        check_frame(101, 0x8344, 100)


def frame(size: int, kind: bytes = b"\x83\x44") -> bytes:
    body = kind + b"x" * (size - 2)
    return len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize("count", [9, 10, 100, 512])
@pytest.mark.parametrize(
    "after",
    [b"", frame(40)[:-1], frame(41), frame(40, b"\x83\x45"), frame(40 + 256), b"\0\0\0\0"],
)
def test_a_run_ends_where_a_frame_differs_or_is_not_all_there(count: int, after: bytes) -> None:
    buffer = bytearray(b"before" + frame(40) * count + after)

    assert frames_alike(buffer, 6, len(buffer), 44) == count


def test_a_long_run_is_told_in_part() -> None:
    buffer = bytearray(frame(40) * 2000)

    assert frames_alike(buffer, 0, len(buffer), 44) == 512


def test_bytes_beyond_the_end_do_not_count() -> None:
    buffer = bytearray(frame(40) * 100)

    assert frames_alike(buffer, 0, 44 * 50, 44) == 50
    assert frames_alike(buffer, 0, 44 * 50 + 43, 44) == 50


def test_a_single_frame_is_a_run_of_one() -> None:
    buffer = bytearray(frame(40) + frame(50) * 20)

    assert frames_alike(buffer, 0, len(buffer), 44) == 1


def test_runs_of_all_lengths_are_counted_frame_by_frame() -> None:
    choose = random.Random(7)
    frames = [
        piece
        for _ in range(200)
        for piece in [frame(choose.randint(2, 300))] * choose.choice([1, 2, 7, 30, 100])
    ]
    stream = bytearray(b"".join(frames))
    rewriter = Rewriter(CompiledMapping({}))

    position, segments = rewriter.process(stream, 0, len(stream))
    assert position == len(stream)
    assert [bytes(segment) for segment in segments] == [bytes(stream)]
    assert rewriter.frames == len(frames)


@pytest.mark.parametrize("missing", [1, 3, 39, 43])
def test_a_message_that_is_not_all_there_is_left(missing: int) -> None:
    buffer = bytearray(frame(40) + frame(50) + frame(60) * 200)

    assert skip_unfragmented(buffer, 0, len(buffer)) == (len(buffer), 202)
    assert skip_unfragmented(buffer, 0, len(buffer) - missing) == (len(buffer) - 64, 201)


def test_messages_are_followed_up_to_what_is_none() -> None:
    buffer = bytearray(frame(40) + frame(50) + b"\0\0\0\0" + frame(60))

    assert skip_unfragmented(buffer, 0, len(buffer)) == (44 + 54, 2)
