from __future__ import annotations

from erlconnect.distribution.undecided import UndecidedBytes

BLOCK = 65536


def kept(undecided: UndecidedBytes) -> bytes:
    return b"".join(block[:length] for block, length in undecided)


def test_pieces_come_back_in_order_however_long_they_are() -> None:
    undecided = UndecidedBytes([])
    pieces = [bytes([n]) * size for n, size in enumerate([1, BLOCK - 1, 70_000, 3, 200_000, 0])]

    for piece in pieces:
        undecided.keep(memoryview(piece))

    assert kept(undecided) == b"".join(pieces)
    assert undecided.size == len(undecided) * BLOCK


def test_blocks_of_one_message_serve_the_next_without_its_bytes() -> None:
    spare: list[bytearray] = []
    first, second = UndecidedBytes(spare), UndecidedBytes(spare)
    first.keep(memoryview(b"a" * 3 * BLOCK))
    blocks = [block for block, _ in first]

    first.forget()
    second.keep(memoryview(b"bcd"))

    assert (len(first), kept(first)) == (0, b"")
    assert kept(second) == b"bcd"
    assert len(spare) == 2
    assert all(any(block is old for old in blocks) for block, _ in second)


def test_few_blocks_wait_for_the_next_message() -> None:
    spare: list[bytearray] = []
    for _ in range(2):
        undecided = UndecidedBytes(spare)
        undecided.keep(memoryview(bytes(100 * BLOCK)))
        undecided.forget()

    assert len(spare) == 64
