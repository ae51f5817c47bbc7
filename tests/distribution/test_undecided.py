from __future__ import annotations

import pytest

from erlconnect.distribution.undecided import KeptBuffers, UndecidedBytes

SIZE = 1000


def content(undecided: UndecidedBytes) -> bytes:
    return b"".join(bytes(buffer[start:end]) for buffer, start, end in undecided)


def test_what_is_kept_comes_back_in_order() -> None:
    one, other = bytearray(b"0123456789"), b"abcdef"
    undecided = UndecidedBytes(KeptBuffers())
    undecided.keep(one, [(0, 2), (4, 7)])
    undecided.keep(other, [(1, 3)])
    undecided.keep(one, [(9, 10)])

    assert content(undecided) == b"01456bc9"
    undecided.forget()
    assert not undecided


def test_a_buffer_is_kept_until_no_message_needs_it() -> None:
    kept = KeptBuffers()
    buffer = bytearray(SIZE)
    first, second = UndecidedBytes(kept), UndecidedBytes(kept)
    first.keep(buffer, [(0, 10), (20, 30)])
    second.keep(buffer, [(10, 20)])
    first.keep(buffer, [(30, 40)])
    assert SIZE < kept.size < 2 * SIZE

    first.forget()
    assert buffer in kept
    second.forget()
    assert buffer not in kept
    assert kept.size == 0


def test_a_message_that_comes_back_to_a_buffer_counts_it_twice_and_gives_it_up_twice() -> None:
    kept = KeptBuffers()
    buffer = bytearray(SIZE)
    undecided = UndecidedBytes(kept)
    for one in (buffer, b"between", buffer):
        undecided.keep(one, [(0, 7)])

    undecided.forget()
    assert buffer not in kept
    assert kept.size == 0


def test_without_pieces_no_buffer_is_kept() -> None:
    kept = KeptBuffers()
    buffer = bytearray(SIZE)
    UndecidedBytes(kept).keep(buffer, [])

    assert buffer not in kept
    assert kept.size == 0


def test_an_exchanged_buffer_serves_again_when_no_message_needs_it() -> None:
    kept = KeptBuffers()
    buffer = bytearray(SIZE)
    undecided = UndecidedBytes(kept)
    undecided.keep(buffer, [(0, 1)])
    other = kept.exchange(buffer)
    assert other is not buffer
    assert len(other) == SIZE
    undecided.keep(other, [(0, 1)])
    assert id(kept.exchange(other)) not in (id(buffer), id(other))

    undecided.forget()
    undecided.keep(bytearray(SIZE), [(0, 1)])
    assert {id(kept.exchange(bytearray(SIZE))) for _ in range(2)} == {id(buffer), id(other)}


def test_a_buffer_of_another_size_does_not_serve() -> None:
    kept = KeptBuffers()
    small = bytearray(SIZE)
    undecided = UndecidedBytes(kept)
    undecided.keep(small, [(0, 1)])
    kept.exchange(small)
    undecided.forget()

    assert len(kept.exchange(bytearray(2 * SIZE))) == 2 * SIZE


@pytest.mark.parametrize("buffers", [16, 17, 50])
def test_few_buffers_wait_for_messages_to_come(buffers: int) -> None:
    kept = KeptBuffers()
    undecided = UndecidedBytes(kept)
    used = [bytearray(SIZE) for _ in range(buffers)]
    for buffer in used:
        undecided.keep(buffer, [(0, 1)])
        kept.exchange(buffer)
    undecided.forget()

    known = set(map(id, used))
    given = [kept.exchange(bytearray(SIZE)) for _ in range(buffers)]
    assert sum(id(buffer) in known for buffer in given) == 16
