"""Terms decoded within bounds: whole ones as they are, others as far as they go."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.bounded_terms import (
    DEEPEST,
    UNREAD,
    Export,
    Fun,
    Map,
    Opaque,
    decode_prefix,
    element_spans,
    is_atom,
)
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf import Atom, ImproperList, Pid, Reference, encode

if TYPE_CHECKING:
    from erlconnect.distribution.etf import Term

PID = Pid(node="app@host", id=90, serial=1, creation=7)
REFERENCE = Reference(node="app@host", creation=7, words=(1, 2, 3))
TERMS = st.recursive(
    st.one_of(
        st.integers(-(2**31), 2**31 - 1),
        st.binary(max_size=20),
        st.sampled_from(["", "ok", "café", "Elixir.System"]).map(Atom),
        st.just(PID),
        st.just(REFERENCE),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple)),
    max_leaves=20,
)


@given(TERMS)
def test_what_is_encoded_is_decoded(term: object) -> None:
    data = encode(term)  # type: ignore[arg-type]
    assert decode_prefix(data, 0, len(data)) == (term, len(data))


@given(TERMS, st.data())
def test_a_term_that_is_cut_off_is_read_as_far_as_it_goes(
    term: object, draw: st.DataObject
) -> None:
    data = encode(term)  # type: ignore[arg-type]
    cut = draw.draw(st.integers(0, len(data) - 1))
    _, end = decode_prefix(data, 0, cut)
    assert end == -1


@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_else(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        decode_prefix(data, 0, len(data))
        element_spans(data, 0, len(data))


@pytest.mark.parametrize(
    ("data", "term"),
    [
        (b"R\x01", Atom("second")),
        (b"d\x00\x02\xe9a", Atom("éa")),
        (b"s\x01\xe9", Atom("é")),
        (b"v\x00\x03hey", Atom("hey")),
        (b"k\x00\x02ab", [97, 98]),
        (b"n\x01\x01\x05", -5),
        (b"o\x00\x00\x00\x01\x00\x05", 5),
        (b"i\x00\x00\x00\x01a\x07", (7,)),
        (b"l\x00\x00\x00\x01a\x01a\x02", ImproperList((1,), 2)),
        (b"t\x00\x00\x00\x01w\x01aa\x02", Map(((Atom("a"), 2),))),
        (b"qw\x04initw\x04stopa\x00", Export(Atom("init"), Atom("stop"), 0)),
        (b"F" + bytes(8), Opaque(70)),
        (b"gR\x00" + bytes(9), Pid(node="first", id=0, serial=0, creation=0)),
        (
            b"r\x00\x01R\x00\x03" + struct.pack(">I", 5),
            Reference(node="first", creation=3, words=(5,)),
        ),
        (
            b"p"
            + bytes(25)
            + struct.pack(">I", 1)
            + b"w\x01ma\x01a\x02XR\x00"
            + bytes(12)
            + b"w\x04envs",
            Fun(Atom("m"), (Atom("envs"),)),
        ),
    ],
)
def test_each_kind_of_term_is_read(data: bytes, term: object) -> None:
    cached = (Atom("first"), Atom("second"))
    assert decode_prefix(data, 0, len(data), cached) == (term, len(data))


@pytest.mark.parametrize(
    ("data", "term"),
    [
        (b"h\x03a\x01h\x02a\x02", (1, (2, UNREAD), UNREAD)),
        (b"l\x00\x00\x00\x03a\x01", ImproperList((1,), cast("Term", UNREAD))),
        (b"t\x00\x00\x00\x02a\x01a\x02a\x03", Map(((1, 2), (3, UNREAD)))),
        (b"t\x00\x00\x00\x02a\x01a\x02", Map(((1, 2), (UNREAD, UNREAD)))),
        (b"h\x02w\x02ok\x01", (Atom("ok"), UNREAD)),
        (b"i\xff\xff\xff\xffa\x01", (1, UNREAD)),
        (b"", UNREAD),
    ],
)
def test_what_is_missing_stands_as_unread(data: bytes, term: object) -> None:
    assert decode_prefix(data, 0, len(data)) == (term, -1)


@pytest.mark.parametrize(
    "data",
    [
        b"R\x07",
        b"Z\x00\x00w\x01a\x00\x00\x00\x01",
        b"Z\x00\x06w\x01a" + bytes(28),
        b"Xa\x01" + bytes(12),
    ],
)
def test_what_no_decoder_understands_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_prefix(data, 0, len(data))


def test_nesting_costs_no_stack_and_ends() -> None:
    data = b"h\x01" * 1_000_000 + b"a\x01"
    term, end = decode_prefix(data, 0, len(data))
    depth = 0
    while isinstance(term, tuple):
        (term,) = term
        depth += 1
    assert (depth, end) == (DEEPEST, -1)


def test_elements_are_found_where_they_are() -> None:
    data = b"..h\x03a\x01l\x00\x00\x00\x01a\x05jw\x02okrest"
    assert element_spans(data, 2, len(data)) == [(4, 6), (6, 14), (14, 18)]
    assert element_spans(data, 6, len(data)) == [(11, 13), (13, 14)]
    assert element_spans(data, 4, len(data)) == []


def test_text_is_no_atom() -> None:
    assert is_atom(Atom("eof"), "eof")
    assert not is_atom(b"eof", "eof")
    assert not is_atom("eof", "eof")
