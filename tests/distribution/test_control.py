"""Control messages and the atoms that headers name, as their receiver has them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.control import (
    Addressee,
    AtomCache,
    ControlMessage,
    Operation,
    addressee,
    read_control,
)
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf import Atom, Pid, encode

PID = Pid(node="app@host", id=90, serial=0, creation=7)


def header(*entries: tuple[int, str | None], long: bool = False) -> bytes:
    """A header whose entries are slots, each with the text that fills it, or to be known by."""
    flags = int(long) << 4 * len(entries)
    body = b""
    for index, (slot, text) in enumerate(entries):
        flags |= (slot >> 8 | (8 if text is not None else 0)) << 4 * index
        body += bytes([slot & 255])
        if text is not None:
            body += len(text.encode()).to_bytes(2 if long else 1, "big") + text.encode()
    size = len(entries) // 2 + 1 if entries else 0
    return bytes([len(entries)]) + flags.to_bytes(size, "little") + body


def test_a_slot_keeps_its_atom_until_another_comes() -> None:
    cache = AtomCache()
    first = header((5, "one"), (1029, "two"), (2047, "three"))
    assert cache.read_header(first, 0, len(first)) == (len(first), ["one", "two", "three"], True)
    again = header((1029, None), (5, "other"))
    assert cache.read_header(again, 0, len(again)).atoms == ["two", "other"]
    last = header((5, None), (6, None))
    assert cache.read_header(last, 0, len(last)) == (len(last), ["other", None], False)


def test_long_atoms_have_two_bytes_of_length() -> None:
    text = header((9, "é" * 200), (10, "b"), long=True)
    read = AtomCache().read_header(text, 0, len(text))
    assert read.atoms == ["é" * 200, "b"]
    assert read.terms == len(text)


@given(st.binary(max_size=60))
def test_any_header_raises_nothing_else(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        AtomCache().read_header(data, 0, len(data))


@given(st.lists(st.tuples(st.integers(0, 2047), st.text(max_size=9)), max_size=255))
def test_every_number_of_entries_is_read(entries: list[tuple[int, str]]) -> None:
    data = header(*entries)
    read = AtomCache().read_header(data + b"rest", 0, len(data) + 4)
    assert read.terms == len(data)
    latest: dict[int, str] = {}
    for (slot, text), atom in zip(entries, read.atoms, strict=True):
        latest[slot] = text
        assert atom == latest[slot]


def test_a_control_message_tells_where_its_payload_begins() -> None:
    data = encode((int(Operation.SEND), Atom(""), PID)) + encode(Atom("payload"))
    control = read_control(data, 0, len(data))
    assert control.operation == Operation.SEND
    assert data[control.payload :] == encode(Atom("payload"))


@pytest.mark.parametrize("term", [[], (), (Atom("no"),), 5])
def test_what_is_no_control_message_is_refused(term: object) -> None:
    data = encode(term)  # type: ignore[arg-type]
    with pytest.raises(RemoteProtocolError):
        read_control(data, 0, len(data))


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ((2, "", PID), Addressee(None, None, PID)),
        ((22, "from", PID), Addressee("from", None, PID)),
        ((33, "from", "alias"), Addressee("from", None, "alias")),
        ((6, "from", "", "name"), Addressee("from", "name", None)),
        ((16, "from", "", "name", "token"), Addressee("from", "name", None)),
        ((37, 8, "from", "name"), Addressee("from", "name", None)),
        ((37, 5, "from", "alias"), Addressee("from", None, "alias")),
        ((37, 16, "from", "to"), None),
        ((1, "from", "to"), None),
        ((6, "from"), None),
        ((99, "from", "to"), None),
    ],
)
def test_who_gets_a_message(terms: tuple[object, ...], expected: Addressee | None) -> None:
    assert addressee(ControlMessage(int(str(terms[0])), terms, 0)) == expected
