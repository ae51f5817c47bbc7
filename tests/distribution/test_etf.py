"""The few terms that are said and heard, against what a real node makes of them."""

from __future__ import annotations

import base64
import contextlib
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world.connected import remote_node

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf import (
    DEEPEST,
    Atom,
    Bitstring,
    Export,
    Fun,
    ImproperList,
    Map,
    Pid,
    Port,
    Record,
    Reference,
    Term,
    decode,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.erlang import ErlangNode

SHORT_TEXT = st.text(max_size=20).filter(lambda text: max(text, default="a") < "\ud800")
NAMES = st.sampled_from(["dev@127.0.0.1", "app@10.3.2.1"])
NUMBERS = st.integers(0, 2**32 - 1)
SIMPLE = st.one_of(
    st.builds(Atom, SHORT_TEXT),
    st.integers(-(2**31), 2**31 - 1),
    st.binary(max_size=20),
    st.builds(Pid, node=NAMES, id=NUMBERS, serial=NUMBERS, creation=NUMBERS),
    st.builds(
        Reference,
        node=NAMES,
        creation=NUMBERS,
        words=st.lists(NUMBERS, min_size=1, max_size=5).map(tuple),
    ),
)
TERMS = st.recursive(
    SIMPLE,
    lambda inner: st.lists(inner, max_size=5) | st.lists(inner, max_size=5).map(tuple),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def node() -> Iterator[ErlangNode]:
    with remote_node("app@127.0.0.1") as node:
        yield node


@given(TERMS)
def test_what_is_said_is_heard_as_it_was(term: Term) -> None:
    data = b"before" + encode(term) + b"behind"
    assert decode(data, len(b"before")) == (term, len(data) - len(b"behind"))


@given(st.binary(max_size=60) | TERMS.map(encode).flatmap(lambda data: st.just(data[:-1])))
def test_whatever_comes_only_one_error_can(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        decode(data)


@pytest.mark.parametrize(
    ("erlang", "term"),
    [
        ("undefined", Atom("undefined")),
        ("'dév'", Atom("dév")),
        ("list_to_atom(lists:duplicate(200, 233))", Atom("é" * 200)),
        ("[0, 255, 256, -1, -2147483648]", [0, 255, 256, -1, -2147483648]),
        ("[1, 2, 3]", [1, 2, 3]),
        ("[]", []),
        ('[{}, {1, <<"text">>}]', [(), (1, b"text")]),
        ("#{1 => [a]}", Map(((1, [Atom("a")]),))),
        ("list_to_tuple(lists:duplicate(300, 7))", (7,) * 300),
    ],
)
def test_a_real_node_writes_what_is_understood(node: ErlangNode, erlang: str, term: Term) -> None:
    """Its minor version 2 has UTF-8 atoms, as connections with UTF8_ATOMS do."""
    written = node.evaluate(
        f"binary_to_list(base64:encode(term_to_binary({erlang}, [{{minor_version, 2}}])))."
    )
    data = base64.b64decode(written.strip('"'))
    assert data[0] == 131
    assert decode(data, 1) == (term, len(data))


def test_a_real_node_understands_what_is_written(node: ErlangNode) -> None:
    ours = Pid(node="dev@erlconnect.invalid", id=1, serial=0, creation=1)
    reference = Reference(node="dev@erlconnect.invalid", creation=1, words=(1, 2, 3))
    term: Term = (Atom("é"), [1, -1, 300], b"\0\xff", (), [], ours, reference)
    data = base64.b64encode(b"\x83" + encode(term)).decode()
    seen = node.evaluate(
        f'{{A, L, B, {{}}, [], Pid, Ref}} = binary_to_term(base64:decode("{data}")), '
        "{atom_to_list(A), L, B, node(Pid), node(Ref), is_pid(Pid), is_reference(Ref)}."
    )
    there = "'dev@erlconnect.invalid'"
    assert seen == f'{{"é",[1,-1,300],<<0,255>>,{there},{there},true,true}}'


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(head, id=tag)
        for tag, head in {
            "SMALL_TUPLE_EXT": b"h\x01",
            "LARGE_TUPLE_EXT": b"i\0\0\0\x01",
            "LIST_EXT": b"l\0\0\0\x01",
            "LIST_EXT in its tail": b"l\0\0\0\0",
            "LIST_EXT in its tail behind an element": b"l\0\0\0\x01a\x01",
            "MAP_EXT in its keys": b"t\0\0\0\x01",
            "MAP_EXT in its values": b"t\0\0\0\x01a\x01",
            "PID_EXT": b"g",
            "NEW_PID_EXT": b"X",
            "PORT_EXT": b"f",
            "NEW_PORT_EXT": b"Y",
            "V4_PORT_EXT": b"x",
            "REFERENCE_EXT": b"e",
            "NEW_REFERENCE_EXT": b"r\0\x01",
            "NEWER_REFERENCE_EXT": b"Z\0\x01",
            "EXPORT_EXT": b"q",
            "NEW_FUN_EXT": b"p" + bytes(29),
            "FUN_EXT": b"u" + bytes(4),
        }.items()
    ],
)
@pytest.mark.parametrize("inner", [b"", b"h\x01", b"X", b"Z\0\x01"])
def test_depth_of_every_tag_has_a_limit(head: bytes, inner: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"too deeply|no atom|no pid|not understood"):
        decode((head + inner) * 100_000 + b"j")


def test_depth_is_counted_through_tags_of_every_kind() -> None:
    """What is built stays shallow enough to be compared, hashed and printed."""
    nesting = [b"h\x01", b"i\0\0\0\x01", b"l\0\0\0\x01", b"t\0\0\0\x01a\x01"]
    with pytest.raises(RemoteProtocolError, match="too deeply"):
        decode(b"".join(nesting * (DEEPEST // len(nesting) + 1)) + b"j")


def test_a_size_beyond_the_end_allocates_nothing() -> None:
    with pytest.raises(RemoteProtocolError, match="beyond its end"):
        decode(b"l\xff\xff\xff\xff" + b"a\x01")


NODE = b"w\x03a@b"


@pytest.mark.parametrize(
    ("data", "term"),
    [
        (b"F" + bytes.fromhex("3ff8000000000000"), 1.5),
        (b"c" + b"1.50000000000000000000e+00".ljust(31, b"\0"), 1.5),
        (b"n\x08\x00" + b"\xff" * 8, 2**64 - 1),
        (b"o\0\0\0\x02\x01\x01\x02", -513),
        (b"M\0\0\0\x02\x03a\xe0", Bitstring(b"a\xe0", 3)),
        (b"M\0\0\0\x01\x08a", b"a"),
        (b"l\0\0\0\x01a\x01a\x02", ImproperList((1,), 2)),
        (b"l\0\0\0\x01a\x01k\0\x01\x02", [1, 2]),
        (b"s\x01\xe9", Atom("\u00e9")),
        (b"d\0\x01\xe9", Atom("\u00e9")),
        (b"g" + NODE + b"\0\0\0\x01\0\0\0\x02\x03", Pid(node="a@b", id=1, serial=2, creation=3)),
        (b"Y" + NODE + b"\0\0\0\x01\0\0\0\x03", Port(node="a@b", id=1, creation=3)),
        (b"f" + NODE + b"\0\0\0\x01\x03", Port(node="a@b", id=1, creation=3)),
        (b"x" + NODE + bytes(7) + b"\x01\0\0\0\x03", Port(node="a@b", id=1, creation=3)),
        (b"e" + NODE + b"\0\0\0\x01\x03", Reference(node="a@b", creation=3, words=(1,))),
        (b"r\0\x01" + NODE + b"\x03\0\0\0\x01", Reference(node="a@b", creation=3, words=(1,))),
        (b"qw\x01mw\x01fa\x02", Export(module="m", function="f", arity=2)),
        (
            b"C\0\0\0\x01\x01w\x01mw\x01nw\x01ka\x05",
            Record(module="m", name="n", fields=(("k", 5),), flags=1),
        ),
        (b"P\0\0\0\x02" + zlib.compress(b"a\x07"), 7),
    ],
    ids=lambda value: value[:1].decode() if isinstance(value, bytes) else "",
)
def test_every_other_tag(data: bytes, term: Term) -> None:
    assert decode(data) == (term, len(data))


def test_funs_of_a_real_node_come_back_as_they_are(node: ErlangNode) -> None:
    """With what they close over: one of the node's own evaluator, and one of a module."""
    for fun in ("(fun(X) -> fun() -> {X, 2} end end)(a)", "fun lists:map/2"):
        written = node.evaluate(f"binary_to_list(base64:encode(term_to_binary({fun}))).")
        data = base64.b64decode(written.strip('"'))
        term, end = decode(data, 1)
        assert end == len(data)
        assert isinstance(term, Fun | Export)
        assert decode(encode(term))[0] == term


@pytest.mark.parametrize(
    "data",
    [
        b"F" + bytes.fromhex("7ff8000000000000"),
        b"Z\0\0" + NODE + bytes(4),
        b"Z\0\x06" + NODE + bytes(28),
        b"M\0\0\0\0\x03",
        b"X" + b"h\x01" * 1000,
        b"P\xff\xff\xff\xff" + zlib.compress(b"j"),
        b"P\0\0\0\x09" + zlib.compress(b"P\0\0\0\x01" + zlib.compress(b"j")),
        b"y" + bytes(20),
        b"R\0",
    ],
    ids=repr,
)
def test_what_is_no_term(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(data)
