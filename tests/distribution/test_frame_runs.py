from __future__ import annotations

import random

import pytest

from erlconnect.distribution.frame_runs import frames_alike, whole_messages
from erlconnect.distribution.rewrite_table import RewriteTable
from erlconnect.distribution.rewriter import Rewriter


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
    rewriter = Rewriter(RewriteTable({}))

    position, segments = rewriter.process(stream, 0, len(stream))
    assert position == len(stream)
    assert [bytes(segment) for segment in segments] == [bytes(stream)]
    assert rewriter.frames == len(frames)


@pytest.mark.parametrize("missing", [1, 3, 39, 43])
def test_a_message_that_is_not_all_there_is_left(missing: int) -> None:
    buffer = bytearray(frame(40) + frame(50) + frame(60) * 200)

    assert whole_messages(buffer, 0, len(buffer)) == (len(buffer), 202)
    assert whole_messages(buffer, 0, len(buffer) - missing) == (len(buffer) - 64, 201)


def test_messages_are_followed_up_to_what_is_none() -> None:
    buffer = bytearray(frame(40) + frame(50) + b"\0\0\0\0" + frame(60))

    assert whole_messages(buffer, 0, len(buffer)) == (44 + 54, 2)
