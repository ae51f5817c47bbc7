"""Frames that are none, and lengths and Sizes that lie: one kind of error, and no memory."""

from __future__ import annotations

import struct
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from distribution import streams, terms, worlds
from distribution.fragmented import APP, NAME, TABLE
from distribution.profile import repeatable
from distribution.streams import Receiver, frame, relayed
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.name_mapping import CompiledMapping
from erlconnect.distribution.rewriter import Rewriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from distribution.worlds import Conversation


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"\0\0\0\2\x83C", "kind 131 67"),
        (b"\0\0\0\2\0\0", "kind 0 0"),
        (b"HTTP/1.1 400", "bytes, more than max-frame"),
        (b"\0\0\0\1\x83D\0\0\0\x83D", "more than max-frame"),
        (b"\xff\xff\xff\xff\x83D", "more than max-frame"),
        (b"\xff\xff\xff\xff\x83F", "more than max-frame"),
        (b"\xff\xff\xff\xffp\x83", "more than max-frame"),
        (frame(b"\x83E" + bytes(15)), "inside its head"),
        (frame(b"\x83F" + bytes(15)), "inside its head"),
        (frame(b"\x83E" + bytes(16)), "ends before it begins"),
        (frame(b"\x83E" + bytes(16) + b"\3\x80"), "inside its flags"),
        (frame(b"\x83E" + bytes(16) + b"\1\x08\1\5abc"), "inside its references"),
        (frame(b"\x83D\2\x88\1" + NAME), "inside"),
        (frame(b"\x83D") + b"\0\0\0\2" + terms.pattern(APP), "kind"),
        (frame(b"\x83D\0w" + terms.pattern(APP) + b"m\0\0\0\5"), "beyond its frame"),
        (frame(b"p\x83X" + NAME + bytes(11)), "beyond its frame"),
        (frame(b"p\x83h\1" + NAME + b"w\x0dapp"), "beyond its frame"),
    ],
)
def test_what_is_no_distribution_is_refused(stream: bytes, reason: str) -> None:
    with pytest.raises(RemoteProtocolError, match=reason):
        relayed(Rewriter(TABLE), stream)


@pytest.mark.parametrize("kind", [b"\x83D", b"\x83E", b"p\x83"])
def test_a_frame_may_be_as_long_as_the_limit(kind: bytes) -> None:
    rewriter = Rewriter(TABLE, max_frame=1000)
    head = struct.pack(">I", 1000) + kind + bytes(30)

    assert rewriter.process(bytearray(head), 0, len(head)) == (0, [])
    with pytest.raises(RemoteProtocolError, match=r"1001 bytes.*\(1000\)"):
        relayed(rewriter, struct.pack(">I", 1001) + kind)


def test_a_length_that_lies_costs_no_memory() -> None:
    rewriter = Rewriter(TABLE)
    buffer = bytearray(struct.pack(">I", 200_000_000) + b"\x83E" + bytes(1000))
    tracemalloc.start()
    rewriter.process(buffer, 0, len(buffer))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 100_000


def test_a_size_that_lies_in_a_rewritten_frame() -> None:
    fun = terms.fun(NAME, terms.pid(NAME), NAME)
    for size in (0, 3, 40, len(fun), 2**32 - 1):
        lying = b"p" + struct.pack(">I", size) + fun[5:]
        got = relayed(
            Rewriter(CompiledMapping({APP: "a@b", "a@b": APP})), streams.whole(b"\0", lying)
        )
        (message,) = Receiver().receive(got)
        assert message.funs[0].start + 1 + message.funs[0].size <= message.funs[0].end


def outcome(table: CompiledMapping, stream: bytes, cuts: Sequence[int] = ()) -> bytes | None:
    """All that comes out; of several errors the split decides which one is raised."""
    try:
        return relayed(Rewriter(table), stream, cuts)
    except RemoteProtocolError:
        return None


@repeatable
@given(worlds.conversations(), st.randoms(use_true_random=True), worlds.cuts())
def test_damaged_streams_end_alike_in_every_split(
    conversation: Conversation, random: Random, cuts: list[int]
) -> None:
    stream = bytearray(conversation.stream)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(stream))
        stream[at : at + random.randint(0, 3)] = random.randbytes(random.randint(0, 3))

    table = conversation.table
    assert outcome(table, bytes(stream), cuts) == outcome(table, bytes(stream))


@repeatable
@given(st.binary(max_size=200), worlds.cuts())
def test_garbage_ends_alike_in_every_split(data: bytes, cuts: list[int]) -> None:
    kinds = [b"\x83D", b"\x83E" + bytes(16), b"\x83F" + bytes(16), b"p\x83"]
    streams_ = [data, *(frame(kind + data) for kind in kinds)]
    for stream in [*streams_, b"".join(streams_[1:])]:
        assert outcome(TABLE, stream, cuts) == outcome(TABLE, stream)
