"""Whole frames: what is rewritten, what goes as it came, and what ends a conversation."""

from __future__ import annotations

import struct

import pytest
from distribution import streams, terms
from distribution.fragmented import APP as APP_FRAGMENTED
from distribution.fragmented import POD as POD_FRAGMENTED
from distribution.fragmented import TABLE as TABLE_FRAGMENTED
from distribution.reference import Reader
from distribution.streams import TICK, Receiver, Reference, bodies, relayed

from erlconnect.distribution.name_mapping import CompiledMapping, permutation
from erlconnect.distribution.rewriter import PrefixCache, Rewriter

APP, POD = "app@127.0.0.1", "app@pod-0.app.default.svc.cluster.local"
TABLE = CompiledMapping({APP: POD, POD: APP})
NAME, RENAMED = terms.atom(APP.encode()), terms.atom(POD.encode())
CONTROL = b"h\4a\6" + terms.pid(b"R\0") + b"w\0w\1x"
NEW_ENTRY = streams.references([Reference(0, 7, APP.encode()), Reference(1, 3, b"lists")])
OLD_ENTRY = streams.references([Reference(0, 7), Reference(1, 3)])
PLAIN = streams.whole(OLD_ENTRY, CONTROL + b"h\2R\1a\1")


def test_a_new_entry_of_the_header_is_rewritten() -> None:
    rewriter = Rewriter(TABLE)

    got = relayed(rewriter, streams.whole(NEW_ENTRY, CONTROL))

    renamed = streams.references([Reference(0, 7, POD.encode()), Reference(1, 3, b"lists")])
    assert got == streams.whole(renamed, CONTROL)
    assert (rewriter.frames, rewriter.rewritten, rewriter.scanned) == (1, 1, 0)


def test_an_atom_in_the_terms_is_rewritten() -> None:
    rewriter = Rewriter(TABLE)

    got = relayed(rewriter, streams.whole(OLD_ENTRY, CONTROL + b"h\2" + NAME + terms.binary(NAME)))

    assert got == streams.whole(OLD_ENTRY, CONTROL + b"h\2" + RENAMED + terms.binary(NAME))
    assert (rewriter.frames, rewriter.rewritten, rewriter.scanned) == (1, 1, 1)


def test_header_and_terms_of_one_frame() -> None:
    got = relayed(Rewriter(TABLE), streams.whole(NEW_ENTRY, CONTROL + NAME))

    renamed = streams.references([Reference(0, 7, POD.encode()), Reference(1, 3, b"lists")])
    assert got == streams.whole(renamed, CONTROL + RENAMED)


def test_a_header_with_long_atoms_stays_one() -> None:
    entries = [Reference(0, 7, APP.encode()), Reference(0, 8, b"x" * 300)]
    got = relayed(Rewriter(TABLE), streams.whole(streams.references(entries), b"a\1"))

    entries[0] = Reference(0, 7, POD.encode())
    assert got == streams.whole(streams.references(entries), b"a\1")


def test_without_a_header_terms_are_rewritten_too() -> None:
    got = relayed(Rewriter(TABLE), streams.pass_through(CONTROL.replace(b"R\0", NAME), NAME))

    assert got == streams.pass_through(CONTROL.replace(b"R\0", RENAMED), RENAMED)


def test_unknown_control_operations_are_rewritten_like_any_term() -> None:
    got = relayed(Rewriter(TABLE), streams.whole(b"\0", b"h\3a\xc8" + NAME + terms.pid(NAME)))

    assert got == streams.whole(b"\0", b"h\3a\xc8" + RENAMED + terms.pid(RENAMED))


@pytest.mark.parametrize("shape", ["atom", "header", "pid", "fun"])
def test_names_of_every_length(shape: str) -> None:
    lengths = [1, 2, 3, 4, 47, 48, 49, 127, 128, 191, 192, 254, 255]
    for old in lengths:
        for new in lengths:
            names = permutation([("a" * (old - 1) + "@", "b" * (new - 1) + "+")])
            pair = next(iter(names.items()))
            sent, expected = (_message(shape, name.encode()) for name in pair)
            assert relayed(Rewriter(CompiledMapping(names)), sent) == expected


def _message(shape: str, name: bytes) -> bytes:
    if shape == "header":
        return streams.whole(streams.references([Reference(0, 7, name)]), CONTROL)
    said = {
        "atom": terms.atom(name) + terms.atom(name, 100),
        "pid": terms.pid(terms.atom(name, 118)),
        "fun": terms.fun(b"w\3lib", terms.pid(terms.atom(name)), terms.atom(name, 115)),
    }
    return streams.whole(b"\0", CONTROL.replace(b"R\0", b"w\1n") + b"h\1" + said[shape])


def test_funs_in_funs_keep_exact_sizes() -> None:
    def message(name: bytes) -> bytes:
        inner = terms.fun(b"w\3lib", terms.pid(name), name)
        return streams.whole(b"\0", terms.fun(b"w\3lib", terms.pid(name), inner, b"a\1", inner))

    assert relayed(Rewriter(TABLE), message(NAME)) == message(RENAMED)
    assert relayed(Rewriter(TABLE), message(RENAMED)) == message(NAME)


def test_what_holds_no_name_is_not_even_copied() -> None:
    stream = bytearray(TICK + PLAIN * 100 + TICK * 3 + streams.pass_through(b"a\1") + TICK)
    rewriter = Rewriter(TABLE)

    consumed, segments = rewriter.process(stream, 0, len(stream))

    assert consumed == len(stream)
    assert [type(segment) for segment in segments] == [memoryview]
    assert bytes(segments[0]) == stream
    assert rewriter.frames == 106


def test_frames_around_a_rewritten_one_are_not_copied() -> None:
    stream = bytearray(PLAIN * 3 + streams.whole(NEW_ENTRY, CONTROL) + PLAIN)
    _, segments = Rewriter(TABLE).process(stream, 0, len(stream))

    assert [type(segment) for segment in segments] == [memoryview, bytes, memoryview]


def test_one_small_message_without_a_name_passes_at_once() -> None:
    rewriter = Rewriter(TABLE)
    assert rewriter.passes(bytearray(PLAIN + b"stale"), len(PLAIN))
    assert rewriter.frames == 1


@pytest.mark.parametrize(
    "stream",
    [
        PLAIN[:-1],
        PLAIN + TICK,
        TICK,
        b"\0\0\0\1\x83",
        streams.whole(NEW_ENTRY, CONTROL),
        streams.whole(OLD_ENTRY, terms.binary(NAME)),
        streams.whole(OLD_ENTRY, terms.binary(bytes(2000))),
        streams.pass_through(b"a\1"),
    ],
    ids=["part", "two", "tick", "short", "header", "binary", "long", "pass through"],
)
def test_anything_else_is_looked_at(stream: bytes) -> None:
    # Behind the stream stands what an earlier message left in the buffer.
    rewriter = Rewriter(TABLE)
    assert not rewriter.passes(bytearray(stream + b"\x44" * 9), len(stream))
    assert rewriter.frames == 0


def test_nothing_passes_inside_a_fragment() -> None:
    rewriter = Rewriter(TABLE)
    first, second = streams.fragments(9, OLD_ENTRY, CONTROL, terms.binary(bytes(4000)), [500])
    relayed(rewriter, first)
    taken, _ = rewriter.process(bytearray(second), 0, 100)
    assert taken == 100
    assert not rewriter.passes(bytearray(PLAIN), len(PLAIN))


def test_a_table_whose_names_share_no_byte_lets_nothing_pass() -> None:
    odd = CompiledMapping({"a": "b", "b": "a"})
    assert not Rewriter(odd).passes(bytearray(PLAIN), len(PLAIN))


def test_a_tick_goes_at_once_and_waits_for_nothing() -> None:
    for tail in range(7):
        rewriter = Rewriter(TABLE)
        stream = PLAIN + TICK + PLAIN[:tail]
        consumed, segments = rewriter.process(bytearray(stream), 0, len(stream))
        assert consumed == len(PLAIN) + 4
        assert b"".join(segments) == PLAIN + TICK
        assert rewriter.frames == 2


def test_a_name_may_seem_to_reach_into_a_tick() -> None:
    """Whoever calls itself so ends its name with a zero, and so begins the length of a tick."""
    odd = CompiledMapping({"x\0": "a@b", "a@b": "x\0"})
    stream = streams.whole(b"\0", b"w\2x") + TICK + PLAIN

    assert relayed(Rewriter(odd), stream) == stream


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_frame_waits_until_it_is_whole(cut: int) -> None:
    stream = PLAIN + streams.whole(NEW_ENTRY, CONTROL)
    arrived = len(stream) - cut

    consumed, segments = Rewriter(TABLE).process(bytearray(stream), 0, arrived)
    assert consumed == len(PLAIN)
    assert b"".join(segments) == PLAIN


def test_byte_by_byte() -> None:
    long = streams.fragments(9, NEW_ENTRY, CONTROL, terms.binary(NAME * 50) + NAME, [100, 700])
    stream = b"".join([TICK, PLAIN, streams.whole(NEW_ENTRY, NAME), *long, TICK])

    got = relayed(Rewriter(TABLE), stream, range(len(stream)))
    assert got == relayed(Rewriter(TABLE), stream)
    assert len(bodies(got)) == len(bodies(stream))


def test_of_a_mixed_stream_hardly_a_frame_is_walked() -> None:
    log = terms.binary(b"22:01 node " + APP.encode() + b" is up, mail app@127.0.0.1.example.org")
    said = [b"h\2R\1" + log, b"t\0\0\0\1R\1" + terms.binary(APP.encode()), b"l\0\0\0\1R\0j", b"a\1"]
    stream = streams.whole(NEW_ENTRY, CONTROL)
    stream += b"".join(streams.whole(OLD_ENTRY, CONTROL + said[n % 4]) for n in range(5000))
    stream += streams.whole(OLD_ENTRY, CONTROL + b"h\2a\1" + NAME)
    rewriter = Rewriter(TABLE)

    relayed(rewriter, stream, range(0, len(stream), 4000))
    assert rewriter.rewritten == 2
    assert rewriter.scanned / rewriter.frames < 0.001


def test_behind_an_unknown_tag_a_frame_is_left_as_it_came() -> None:
    rewriter = Rewriter(TABLE)
    got = relayed(rewriter, streams.whole(b"\0", b"h\3" + NAME + b"\1" + NAME) + PLAIN)

    assert got == streams.whole(b"\0", b"h\3" + RENAMED + b"\1" + NAME) + PLAIN
    assert (rewriter.unparseable, rewriter.rewritten) == (1, 1)


def test_the_walk_of_a_frame_full_of_funs_and_names_takes_linear_time() -> None:
    one = terms.fun(b"w\3lib", terms.pid(NAME), NAME)
    said = b"l" + struct.pack(">I", 20_000) + one * 20_000 + b"j"
    rewriter = Rewriter(TABLE)

    (body,) = bodies(relayed(rewriter, streams.whole(b"\0", said)))
    assert rewriter.rewritten == 40_000
    assert all(fun.exact for fun in Reader(body, 3).term().funs)


NAME_FRAME_BEGINNINGS = terms.atom(APP_FRAGMENTED.encode())
HEADER = streams.references([Reference(0, slot) for slot in range(40)])
ATOMS = b"".join(b"R" + bytes([slot]) for slot in range(40))


def body(number: int, rest: bytes = NAME_FRAME_BEGINNINGS) -> bytearray:
    return bytearray(HEADER + b"h\4" + ATOMS + b"b" + number.to_bytes(4, "big") + rest)


def learn(beginnings: PrefixCache, data: bytearray) -> None:
    beginnings.learn(data, 0, len(HEADER), data.find(NAME_FRAME_BEGINNINGS))


def test_what_two_frames_begin_with_is_known_up_to_the_border_of_a_token() -> None:
    beginnings = PrefixCache(TABLE_FRAGMENTED)
    one, other = body(0x01020304), body(0x01020305)
    assert beginnings.skip(one, 0, len(one)) == 0
    learn(beginnings, one)
    assert beginnings.skip(one, 0, len(one)) == one.find(NAME_FRAME_BEGINNINGS)
    assert beginnings.skip(other, 0, len(other)) == 0

    learn(beginnings, other)
    border = one.find(b"b\x01\x02")
    for number in range(5):
        later = body(number)
        assert beginnings.skip(later, 0, len(later)) == border


def test_a_frame_that_ends_before_is_not_skipped() -> None:
    beginnings = PrefixCache(TABLE_FRAGMENTED)
    learn(beginnings, body(1))
    learn(beginnings, body(2))

    assert beginnings.skip(body(3), 0, len(HEADER) + 10) == 0


def test_where_nothing_but_the_header_is_shared_nothing_is_known_ever_after() -> None:
    beginnings = PrefixCache(TABLE_FRAGMENTED)
    learn(beginnings, body(1))
    other = bytearray(HEADER + b"a\1" + NAME_FRAME_BEGINNINGS)
    learn(beginnings, other)

    for frame in (body(1), other, body(1)):
        assert beginnings.skip(frame, 0, len(frame)) == 0
        learn(beginnings, frame)


def test_kinds_that_are_too_many_are_forgotten() -> None:
    beginnings = PrefixCache(TABLE_FRAGMENTED)
    frames = [
        bytearray(streams.references([Reference(0, kind)] * 40) + b"h\2a\1" + NAME_FRAME_BEGINNINGS)
        for kind in range(65)
    ]
    for frame in frames:
        beginnings.learn(frame, 0, frame.find(b"h\2"), frame.find(NAME_FRAME_BEGINNINGS))

    known = [beginnings.skip(frame, 0, len(frame)) > 0 for frame in frames]
    assert known == [False] * 64 + [True]


def test_frames_that_begin_alike_are_rewritten_alike() -> None:
    rests = [
        NAME_FRAME_BEGINNINGS,
        b"a\1",
        terms.binary(NAME_FRAME_BEGINNINGS),
        NAME_FRAME_BEGINNINGS * 1,
        b"\1" + NAME_FRAME_BEGINNINGS,
        NAME_FRAME_BEGINNINGS,
    ]
    frames = [
        streams.frame(b"\x83D" + bytes(body(number, rest))) for number, rest in enumerate(rests * 3)
    ]
    rewriter = Rewriter(TABLE_FRAGMENTED)
    together = relayed(rewriter, b"".join(frames))

    assert together == b"".join(relayed(Rewriter(TABLE_FRAGMENTED), frame) for frame in frames)
    assert together.count(terms.atom(POD_FRAGMENTED.encode())) == 9
    assert rewriter.unparseable == 3


def test_a_new_entry_of_the_header_is_never_skipped() -> None:
    entries = [Reference(0, slot) for slot in range(39)]
    known = streams.references([*entries, Reference(0, 39)])
    new = streams.references([*entries, Reference(0, 39, APP_FRAGMENTED.encode())])
    frames = [
        streams.whole(header, b"h\1" + NAME_FRAME_BEGINNINGS)
        for header in (known, known, new, new, known)
    ]

    got = Receiver().receive(relayed(Rewriter(TABLE_FRAGMENTED), b"".join(frames)))
    assert [message.events.count(("atom", 119, POD_FRAGMENTED.encode())) for message in got] == [
        1
    ] * 5
