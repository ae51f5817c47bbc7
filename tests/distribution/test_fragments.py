"""Messages whose fragments are under way: what is pinned between two, and for how long."""

from __future__ import annotations

import tracemalloc

import pytest
from distribution import streams, terms
from distribution.fragmented import CONTROL, HEADER, LONG, NAME, POD, TABLE, arrives
from distribution.streams import Receiver, relayed

from erlconnect.distribution import fragments
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.fragments import DeferredScan, PinnedBuffers, ReassemblyTable, Stage
from erlconnect.distribution.rewriter import Rewriter


def test_fragments_of_many_messages_interleave() -> None:
    payload = b"h\3" + LONG + NAME + b"j"
    sent = [
        streams.fragments(n, HEADER, CONTROL, payload, [*range(18_000, 18_010, n)])
        for n in range(1, 6)
    ]
    turns = [frames[index] for index in range(12) for frames in sent if index < len(frames)]

    got = Receiver().receive(relayed(Rewriter(TABLE), b"".join(turns)))
    assert len(got) == 5
    assert all(("atom", 119, POD.encode()) in message.events for message in got)


def test_a_sequence_may_be_used_again() -> None:
    frames = streams.fragments(5, HEADER, CONTROL, b"h\2" + NAME + NAME, [9])
    rewriter = Rewriter(TABLE)
    unfinished = relayed(rewriter, b"".join(frames[:1]))
    assert unfinished

    assert len(Receiver().receive(relayed(rewriter, b"".join(frames * 3)))) == 3


def test_inside_a_binary_bytes_pass_as_they_come() -> None:
    payload = terms.binary(NAME * 10_000)
    first, second, last = streams.fragments(5, HEADER, CONTROL, payload, [70_000, 120_000])
    rewriter = Rewriter(TABLE)
    relayed(rewriter, first)

    buffer = bytearray(second[:30])
    assert rewriter.process(buffer, 0, 30)[0] == 30
    rest = bytearray(second[30:] + last)
    consumed, segments = rewriter.process(rest, 0, len(rest))
    assert consumed == len(rest)
    assert [bytes(segment) for segment in segments] == [rest]
    assert rewriter.frames == 3


def test_a_name_behind_a_large_binary_is_found() -> None:
    payload = b"h\3" + LONG + terms.binary(NAME * 10_000) + NAME

    for cut in (20_000, len(payload) - 5, len(payload) - len(NAME)):
        arrives(payload, [cut, 100_000])


@pytest.mark.parametrize("limit", [0, 1, 1000, 30_000])
def test_undecided_bytes_are_limited(limit: int) -> None:
    table = TABLE
    messages = ReassemblyTable(table, max_deferred=limit)
    under_way = [messages.begin(n) for n in range(3)]
    data = b"h\2" + b"l\0\0\0\xff" + b"a\1" * 9000
    for message in under_way:
        assert messages.rewrite(message, data, 0, len(data), Stage(first=True, last=False)) == (
            None,
            0,
        )
    for _ in range(20):
        for message in under_way:
            messages.rewrite(message, data, 7, len(data), Stage(first=False, last=False))
            assert messages.pinned.size <= limit
    for message in under_way:
        text, count = messages.rewrite(message, NAME, 0, len(NAME), Stage(first=False, last=True))
        assert (text, count) == (terms.atom(POD.encode()), 1)


def test_small_undecided_pieces_take_no_more_memory_than_is_counted() -> None:
    messages = ReassemblyTable(TABLE)
    message = messages.begin(1)
    data = b"h\2" + LONG
    messages.rewrite(message, data, 0, len(data), Stage(first=True, last=False))
    tracemalloc.start()
    for _ in range(100_000):
        messages.rewrite(message, b"j", 0, 1, Stage(first=False, last=False))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert messages.pinned.size > 100_000
    assert held < 2 * messages.pinned.size


def test_messages_under_way_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MAX_INTERLEAVED", 3)
    firsts = [streams.fragments(n, b"\0", b"a\1", b"jj", [1])[0] for n in range(4)]
    relayed(Rewriter(TABLE), b"".join([*firsts[:3], firsts[0]]))

    with pytest.raises(RemoteProtocolError, match="more than 3"):
        relayed(Rewriter(TABLE), b"".join(firsts))


def test_a_later_fragment_needs_a_first_one() -> None:
    first, last = streams.fragments(5, b"\0", b"a\1", b"jj", [1])
    with pytest.raises(RemoteProtocolError, match="without a first"):
        relayed(Rewriter(TABLE), last)
    with pytest.raises(RemoteProtocolError, match="without a first"):
        relayed(Rewriter(TABLE), first + last + last)


@pytest.mark.parametrize("before", [b"", LONG])
def test_behind_an_unknown_tag_a_message_is_left_as_it_came(before: bytes) -> None:
    payload = b"h\5" + NAME + before + b"\1" + NAME + b"p" * 40 + NAME
    frames = streams.fragments(5, b"\0", b"a\1", payload, [*range(20, len(payload), 700), -40, -3])
    rewriter = Rewriter(TABLE)

    out = relayed(rewriter, b"".join(frames))
    bodies = [body[18:] for body in streams.bodies(out)]
    renamed_name = terms.atom(POD.encode())
    expected = b"\0a\1h\5" + renamed_name + before + b"\1" + NAME + b"p" * 40 + NAME
    assert b"".join(bodies) == expected
    assert (rewriter.unparseable, rewriter.rewritten) == (1, 1)


SIZE = 1000


def content(deferred: DeferredScan) -> bytes:
    return b"".join(bytes(buffer[start:end]) for buffer, start, end in deferred)


def test_what_is_kept_comes_back_in_order() -> None:
    one, other = bytearray(b"0123456789"), b"abcdef"
    deferred = DeferredScan(PinnedBuffers())
    deferred.add(one, [(0, 2), (4, 7)])
    deferred.add(other, [(1, 3)])
    deferred.add(one, [(9, 10)])

    assert content(deferred) == b"01456bc9"
    deferred.clear()
    assert not deferred


def test_a_buffer_is_kept_until_no_message_needs_it() -> None:
    pinned = PinnedBuffers()
    buffer = bytearray(SIZE)
    first, second = DeferredScan(pinned), DeferredScan(pinned)
    first.add(buffer, [(0, 10), (20, 30)])
    second.add(buffer, [(10, 20)])
    first.add(buffer, [(30, 40)])
    assert SIZE < pinned.size < 2 * SIZE

    first.clear()
    assert buffer in pinned
    second.clear()
    assert buffer not in pinned
    assert pinned.size == 0


def test_a_message_that_comes_back_to_a_buffer_counts_it_twice_and_gives_it_up_twice() -> None:
    pinned = PinnedBuffers()
    buffer = bytearray(SIZE)
    deferred = DeferredScan(pinned)
    for one in (buffer, b"between", buffer):
        deferred.add(one, [(0, 7)])

    deferred.clear()
    assert buffer not in pinned
    assert pinned.size == 0


def test_without_pieces_no_buffer_is_kept() -> None:
    pinned = PinnedBuffers()
    buffer = bytearray(SIZE)
    DeferredScan(pinned).add(buffer, [])

    assert buffer not in pinned
    assert pinned.size == 0


def test_an_exchanged_buffer_serves_again_when_no_message_needs_it() -> None:
    pinned = PinnedBuffers()
    buffer = bytearray(SIZE)
    deferred = DeferredScan(pinned)
    deferred.add(buffer, [(0, 1)])
    other = pinned.swap(buffer)
    assert other is not buffer
    assert len(other) == SIZE
    deferred.add(other, [(0, 1)])
    assert id(pinned.swap(other)) not in (id(buffer), id(other))

    deferred.clear()
    deferred.add(bytearray(SIZE), [(0, 1)])
    assert {id(pinned.swap(bytearray(SIZE))) for _ in range(2)} == {id(buffer), id(other)}


def test_a_buffer_of_another_size_does_not_serve() -> None:
    pinned = PinnedBuffers()
    small = bytearray(SIZE)
    deferred = DeferredScan(pinned)
    deferred.add(small, [(0, 1)])
    pinned.swap(small)
    deferred.clear()

    assert len(pinned.swap(bytearray(2 * SIZE))) == 2 * SIZE


@pytest.mark.parametrize("buffers", [16, 17, 50])
def test_few_buffers_wait_for_messages_to_come(buffers: int) -> None:
    pinned = PinnedBuffers()
    deferred = DeferredScan(pinned)
    used = [bytearray(SIZE) for _ in range(buffers)]
    for buffer in used:
        deferred.add(buffer, [(0, 1)])
        pinned.swap(buffer)
    deferred.clear()

    known = set(map(id, used))
    given = [pinned.swap(bytearray(SIZE)) for _ in range(buffers)]
    assert sum(id(buffer) in known for buffer in given) == 16
