"""Messages in fragments: names and funs at every border, and what is kept between two."""

from __future__ import annotations

import pytest
from distribution import streams, terms
from distribution.reference import Reader, renamed
from distribution.streams import Message, Receiver, Reference, relayed

from erlconnect.distribution import fragments
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.fragments import MessagesUnderWay, Stage
from erlconnect.distribution.rewrite_table import RewriteTable
from erlconnect.distribution.rewriter import Rewriter

APP, POD = "app@127.0.0.1", "app@pod-0.app.default.svc.cluster.local"
DEV, CALLER = "dev@localhost", "d@e"
NAMES = {APP: POD, POD: APP, DEV: CALLER, CALLER: DEV}
TEXTS = {old.encode(): new.encode() for old, new in NAMES.items()}
TABLE = RewriteTable(NAMES)
NAME = terms.atom(APP.encode())
CONTROL = b"h\4a\6" + terms.pid(b"R\0") + b"w\0w\1x"
HEADER = streams.references([Reference(0, 7, POD.encode())])
# Longer than what is walked of a first fragment in any case.
LONG = b"l\0\0\x23\x28" + b"a\1" * 9000 + b"j"


def one(frames: list[bytes], table: RewriteTable = TABLE, names: bytes = b"") -> Message:
    """What the receiver makes of a message after it was relayed."""
    receiver = Receiver()
    receiver.receive(relayed(Rewriter(table), b"".join(frames)))
    assert receiver.unfinished == 0
    (message,) = receiver.messages
    return message


def arrives(payload: bytes, cuts: list[int]) -> Message:
    """Send a payload cut there, and hold what arrives to the renamed original."""
    frames = streams.fragments(5, HEADER, CONTROL, payload, cuts)
    message = one(frames)
    sent = Reader(CONTROL + payload, cached=[POD.encode()]).rest()
    assert message.events == renamed(sent.events, TEXTS)
    return message


@pytest.mark.parametrize("tag", [119, 118, 115, 100])
@pytest.mark.parametrize("before", [b"", LONG, b"m\0\0\4\0" + b"." * 1024])
def test_a_name_across_a_border_at_every_offset(tag: int, before: bytes) -> None:
    name = terms.atom(APP.encode(), tag)
    payload = b"h\4" + (before or b"j") + name + name + b"a\1"
    start = len(payload) - 2 - 2 * len(name)

    for cut in range(start - 1, len(payload)):
        arrives(payload, [cut])
        arrives(payload, [start - 3, cut])


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("before", [b"j", LONG])
def test_names_in_very_small_fragments(size: int, before: bytes) -> None:
    payload = b"h\5" + before + NAME + terms.binary(NAME) + terms.pid(NAME) + terms.atom(b"d@")

    arrives(payload, list(range(len(before) - 10, len(payload), size)))


def test_a_name_across_the_end_of_what_is_walked_at_first() -> None:
    for size in range(900, 1030):
        payload = b"h\3" + terms.binary(b"." * size) + NAME + LONG
        arrives(payload, [len(payload) - 100])


def test_a_fun_across_the_end_of_what_is_walked_at_first() -> None:
    fun = terms.fun(b"w\3lib", terms.pid(b"R\0"), LONG, terms.atom(POD.encode()))
    for size in range(970, 1000):
        payload = b"h\2" + terms.binary(b"." * size) + fun
        message = arrives(payload, [len(payload) - 100])
        (found,) = message.funs
        assert found.start + 1 + found.size <= found.end


def test_the_head_of_a_fun_across_a_border_at_every_offset() -> None:
    fun = terms.fun(b"w\3lib", terms.pid(b"R\0"), LONG, terms.atom(POD.encode()))
    payload = b"h\2" + LONG + fun
    start = len(payload) - len(fun)

    for cut in range(start, start + 50):
        message = arrives(payload, [cut, len(payload) - 100])
        (found,) = message.funs
        assert found.start + 1 + found.size <= found.end


def test_the_size_of_a_fun_that_goes_on_is_a_lower_bound_only_if_names_may_shrink() -> None:
    fun = terms.fun(b"w\3lib", terms.pid(b"R\0"), LONG, terms.atom(APP.encode()))
    frames = streams.fragments(5, HEADER, CONTROL, fun, [100])
    sent = Receiver().receive(b"".join(frames))[0].funs[0]

    (kept,) = one(frames, RewriteTable({APP: APP + "2", POD: POD + "2"})).funs
    assert (kept.size, kept.end - sent.end) == (sent.size, 1)
    (bound,) = one(frames).funs
    assert bound.start + 1 + bound.size == one(frames).ends[0]


def test_a_name_that_ends_like_another_begins() -> None:
    """The last byte of the first name is the length of the second."""
    first, second = "n@host-1", "x" * 40 + "@127.0.0"
    assert chr(len(second)) == "0"
    names = {first + "0": second, second: first + "0"}
    payload = b"h\2" + LONG + terms.atom(first.encode() + b"0") + b"j"
    for cut in range(len(payload) - 15, len(payload)):
        message = one(streams.fragments(5, b"\0", b"a\1", payload, [cut]), RewriteTable(names))
        assert ("atom", 119, second.encode()) in message.events


def test_a_last_fragment_without_bytes_brings_what_was_cut() -> None:
    payload = b"h\2" + LONG + terms.atom(APP.encode()[:-1])

    arrives(payload, [len(payload), len(payload)])


def test_fragments_without_bytes_anywhere() -> None:
    payload = b"h\2" + NAME + NAME

    arrives(payload, [0, 0, 5, 5, 5, len(payload)])


def test_the_control_term_is_never_cut() -> None:
    """A control term that ends like a name begins stays whole in the first fragment."""
    for size in range(1, len(APP)):
        control = b"h\2a\6" + terms.atom(b"x" + terms.pattern(APP)[:size])
        frames = streams.fragments(5, b"\0", control, NAME, [0])
        assert ("atom", 119, POD.encode()) in one(frames).events


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
    messages = MessagesUnderWay(table, max_undecided=limit)
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
            assert sum(message.undecided_size for message in under_way) <= limit
    for message in under_way:
        text, count = messages.rewrite(message, NAME, 0, len(NAME), Stage(first=False, last=True))
        assert (text, count) == (terms.atom(POD.encode()), 1)


def test_small_undecided_pieces_are_kept_together() -> None:
    messages = MessagesUnderWay(TABLE)
    message = messages.begin(1)
    data = b"h\2" + LONG
    messages.rewrite(message, data, 0, len(data), Stage(first=True, last=False))
    for _ in range(10_000):
        messages.rewrite(message, b"j", 0, 1, Stage(first=False, last=False))

    assert message.undecided_size > 10_000
    assert len(message._undecided) < 5


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
    assert (rewriter.lost, rewriter.rewritten) == (1, 1)
