from __future__ import annotations

import pytest
from distribution import streams

from erlconnect.distribution.fragment_runs import fragments_between
from erlconnect.distribution.rewrite_table import RewriteTable
from erlconnect.distribution.rewriter import Rewriter

FIRST, *BETWEEN, LAST = streams.fragments(5, b"\0", b"a\1", b"j" * 60, [10, 20, 30, 40])
OTHER = streams.fragments(6, b"\0", b"a\1", b"j" * 60, [10, 20, 30])[1]
WHOLE = streams.whole(b"\0", b"a\1j")
HEAD = 22


@pytest.mark.parametrize("behind", [LAST, FIRST, OTHER, WHOLE, streams.TICK, b"", OTHER[:9]])
def test_a_row_ends_at_what_is_no_further_fragment_of_the_message(behind: bytes) -> None:
    before = b"..."
    buffer = bytearray(before + b"".join(BETWEEN) + behind)

    pieces = fragments_between(buffer, len(before), len(buffer), 5)
    assert [end - start for start, end in pieces] == [10, 10, 10]
    assert pieces[0][0] == len(before) + HEAD
    assert all(bytes(buffer[start:end]) == b"j" * 10 for start, end in pieces)


@pytest.mark.parametrize(("missing", "found"), [(0, 3), (1, 2), (11, 2), (32, 2), (33, 1), (96, 0)])
def test_a_fragment_that_is_not_all_there_does_not_count(missing: int, found: int) -> None:
    buffer = bytearray(b"".join(BETWEEN))

    assert len(fragments_between(buffer, 0, len(buffer) - missing, 5)) == found


def test_a_fragment_that_ends_inside_its_head_does_not_count() -> None:
    short = (17).to_bytes(4, "big") + BETWEEN[0][4:21]
    buffer = bytearray(short + bytes(100))

    assert fragments_between(buffer, 0, len(buffer), 5) == []


def test_fragments_in_a_row_are_counted_one_by_one() -> None:
    payload = b"l\0\0\xff\xff" + b"a\1" * 65535 + b"j"
    frames = streams.fragments(5, b"\0", b"a\1", payload, range(20_000, 130_000, 1000))
    stream = bytearray(b"".join(frames))
    rewriter = Rewriter(RewriteTable({}))

    taken, segments = rewriter.process(stream, 0, len(stream))
    assert taken == len(stream)
    assert b"".join(map(bytes, segments)) == stream
    assert rewriter.frames == len(frames)
