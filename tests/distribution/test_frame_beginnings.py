from __future__ import annotations

from distribution import streams, terms
from distribution.fragmented import APP, POD, TABLE
from distribution.streams import Receiver, Reference, relayed

from erlconnect.distribution.frame_beginnings import FrameBeginnings
from erlconnect.distribution.rewriter import Rewriter

NAME = terms.atom(APP.encode())
HEADER = streams.references([Reference(0, slot) for slot in range(40)])
ATOMS = b"".join(b"R" + bytes([slot]) for slot in range(40))


def body(number: int, rest: bytes = NAME) -> bytearray:
    return bytearray(HEADER + b"h\4" + ATOMS + b"b" + number.to_bytes(4, "big") + rest)


def learn(beginnings: FrameBeginnings, data: bytearray) -> None:
    beginnings.learn(data, 0, len(HEADER), data.find(NAME))


def test_what_two_frames_begin_with_is_known_up_to_the_border_of_a_token() -> None:
    beginnings = FrameBeginnings(TABLE)
    one, other = body(0x01020304), body(0x01020305)
    assert beginnings.skip(one, 0, len(one)) == 0
    learn(beginnings, one)
    assert beginnings.skip(one, 0, len(one)) == one.find(NAME)
    assert beginnings.skip(other, 0, len(other)) == 0

    learn(beginnings, other)
    border = one.find(b"b\x01\x02")
    for number in range(5):
        later = body(number)
        assert beginnings.skip(later, 0, len(later)) == border


def test_a_frame_that_ends_before_is_not_skipped() -> None:
    beginnings = FrameBeginnings(TABLE)
    learn(beginnings, body(1))
    learn(beginnings, body(2))

    assert beginnings.skip(body(3), 0, len(HEADER) + 10) == 0


def test_where_nothing_but_the_header_is_shared_nothing_is_known_ever_after() -> None:
    beginnings = FrameBeginnings(TABLE)
    learn(beginnings, body(1))
    other = bytearray(HEADER + b"a\1" + NAME)
    learn(beginnings, other)

    for frame in (body(1), other, body(1)):
        assert beginnings.skip(frame, 0, len(frame)) == 0
        learn(beginnings, frame)


def test_kinds_that_are_too_many_are_forgotten() -> None:
    beginnings = FrameBeginnings(TABLE)
    frames = [
        bytearray(streams.references([Reference(0, kind)] * 40) + b"h\2a\1" + NAME)
        for kind in range(65)
    ]
    for frame in frames:
        beginnings.learn(frame, 0, frame.find(b"h\2"), frame.find(NAME))

    known = [beginnings.skip(frame, 0, len(frame)) > 0 for frame in frames]
    assert known == [False] * 64 + [True]


def test_frames_that_begin_alike_are_rewritten_alike() -> None:
    rests = [NAME, b"a\1", terms.binary(NAME), NAME * 1, b"\1" + NAME, NAME]
    frames = [
        streams.frame(b"\x83D" + bytes(body(number, rest))) for number, rest in enumerate(rests * 3)
    ]
    rewriter = Rewriter(TABLE)
    together = relayed(rewriter, b"".join(frames))

    assert together == b"".join(relayed(Rewriter(TABLE), frame) for frame in frames)
    assert together.count(terms.atom(POD.encode())) == 9
    assert rewriter.lost == 3


def test_a_new_entry_of_the_header_is_never_skipped() -> None:
    entries = [Reference(0, slot) for slot in range(39)]
    known = streams.references([*entries, Reference(0, 39)])
    new = streams.references([*entries, Reference(0, 39, APP.encode())])
    frames = [streams.whole(header, b"h\1" + NAME) for header in (known, known, new, new, known)]

    got = Receiver().receive(relayed(Rewriter(TABLE), b"".join(frames)))
    assert [message.events.count(("atom", 119, POD.encode())) for message in got] == [1] * 5
