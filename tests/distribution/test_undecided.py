from __future__ import annotations

import pytest
from distribution.profile import repeatable
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.undecided import UndecidedBytes

BLOCK = 65536


def content(undecided: UndecidedBytes) -> bytes:
    return b"".join(bytes(block[:length]) for block, length in undecided)


@repeatable
@given(st.lists(st.sampled_from([0, 1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 200_000]), max_size=8))
def test_what_is_kept_comes_back_in_order(sizes: list[int]) -> None:
    undecided = UndecidedBytes([])
    pieces = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    for piece in pieces:
        undecided.keep(memoryview(piece))

    assert content(undecided) == b"".join(pieces)
    assert bool(undecided) == bool(sum(sizes))
    assert sum(sizes) <= undecided.size < sum(sizes) + BLOCK


def test_blocks_serve_the_next_message() -> None:
    spare: list[bytearray] = []
    first, second = UndecidedBytes(spare), UndecidedBytes(spare)
    first.keep(memoryview(b"a" * (2 * BLOCK)))
    first.forget()
    assert not first
    assert len(spare) == 2

    second.keep(memoryview(b"b"))
    assert len(spare) == 1
    assert content(second) == b"b"


@pytest.mark.parametrize("blocks", [64, 65, 200])
def test_few_blocks_are_kept_for_messages_to_come(blocks: int) -> None:
    spare: list[bytearray] = []
    undecided = UndecidedBytes(spare)
    undecided.keep(memoryview(bytes(blocks * BLOCK)))
    undecided.forget()

    assert len(spare) == 64
