"""Names and funs across the border of two fragments, wherever it is."""

from __future__ import annotations

import pytest
from distribution import streams, terms
from distribution.fragmented import APP, CONTROL, HEADER, LONG, NAME, POD, arrives, one
from distribution.reference import Reader, renamed
from distribution.streams import Receiver

from erlconnect.distribution.name_mapping import CompiledMapping


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

    (kept,) = one(frames, CompiledMapping({APP: APP + "2", POD: POD + "2"})).funs
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
        message = one(streams.fragments(5, b"\0", b"a\1", payload, [cut]), CompiledMapping(names))
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


@pytest.mark.parametrize("at", range(1, 32))
def test_a_fun_whose_head_left_before_its_names_grew_keeps_its_size(at: int) -> None:
    """Its Size is too small then, which nobody minds; what comes after it must not be hurt."""
    fun = terms.fun(b"w\3lib", terms.pid(terms.atom(APP.encode())))
    payload = b"h\3" + LONG + fun + NAME
    cut = len(payload) - len(NAME) - len(fun) + at
    frames = streams.fragments(5, HEADER, CONTROL, payload, [cut])
    table = CompiledMapping({APP: APP + "22", POD: POD}, fun_sizes=False)

    message = one(frames, table)
    sent = Reader(CONTROL + payload, cached=[POD.encode()]).rest()
    assert message.events == renamed(sent.events, {APP.encode(): APP.encode() + b"22"})
    assert [found.size for found in message.funs] == [len(fun) - 1]
