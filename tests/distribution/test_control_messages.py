"""Control messages by their bytes: whole, in fragments, and whatever else may come."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.control_messages import (
    Assembler,
    LinkExit,
    MessageTo,
    SpawnReply,
    frame_body,
    link,
    parse_control,
    send,
)
from erlconnect.distribution.errors import MessageTooLongError, RemoteProtocolError
from erlconnect.distribution.etf import Atom, Pid, Reference, Term, encode

US = Pid(node="us@erlconnect.invalid", id=1, serial=0, creation=1)
THERE = Pid(node="app@10.3.2.1", id=90, serial=0, creation=5)
REQUEST = Reference(node="us@erlconnect.invalid", creation=1, words=(1, 2, 3))


def fragments(sequence: int, control: Term, payload: bytes, size: int) -> list[bytes]:
    """The frames of one message, as a node cuts it: the control message is whole in the first."""
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    bodies = []
    for index, piece in enumerate(pieces):
        number = (len(pieces) - index).to_bytes(8, "big")
        head = b"\x83E" if index == 0 else b"\x83F"
        first = b"\0" + encode(control) if index == 0 else b""
        bodies.append(head + sequence.to_bytes(8, "big") + number + first + piece)
    return bodies


def test_fragments_of_two_messages_that_take_turns() -> None:
    assembler = Assembler(1000)
    control: Term = (2, Atom(""), US)
    one = fragments(1, control, encode(b"a" * 90), 30)
    other = fragments(2, control, encode(b"b" * 50), 20)
    seen = [assembler.add(body) for body in (one[0], other[0], one[1], other[1], other[2])]
    assert seen == [None] * 4 + [(control, b"b" * 50)]
    assert [assembler.add(body) for body in one[2:]] == [None, (control, b"a" * 90)]


def test_a_message_that_grows_too_long_is_not_waited_for() -> None:
    assembler = Assembler(100)
    bodies = fragments(1, (2, Atom(""), US), encode(b"a" * 500), 50)
    assert assembler.add(bodies[0]) is None
    with pytest.raises(MessageTooLongError):
        list(map(assembler.add, bodies[1:]))


@pytest.mark.parametrize("header", [True, False])
def test_what_is_said_is_heard_as_it_was(header: bool) -> None:
    control, payload = send(US, [1, Atom("x")])
    assert Assembler(1000).add(frame_body(control, payload, header=header)) == (control, payload)
    alone = link(US, THERE)
    assert Assembler(1000).add(frame_body(alone, None, header=header)) == (alone, None)


@pytest.mark.parametrize(
    ("control", "payload", "signal"),
    [
        ((2, Atom(""), US), b"x", MessageTo(receiver=US, message=b"x")),
        ((22, THERE, US), b"x", MessageTo(receiver=US, message=b"x")),
        ((12, Atom(""), US, Atom("t")), 1, MessageTo(receiver=US, message=1)),
        ((31, REQUEST, US, 1, THERE), None, SpawnReply(request=REQUEST, result=THERE)),
        ((3, THERE, US, b"r"), None, LinkExit(process=THERE, ours=US, reason=b"r")),
        ((13, THERE, US, [], b"r"), None, LinkExit(process=THERE, ours=US, reason=b"r")),
        ((24, THERE, US), b"r", LinkExit(process=THERE, ours=US, reason=b"r")),
        ((25, THERE, US, []), b"r", LinkExit(process=THERE, ours=US, reason=b"r")),
        ((99, US), None, None),
        ((24, THERE, US), None, None),
    ],
)
def test_what_a_control_message_says(control: Term, payload: Term, signal: object) -> None:
    assert parse_control(control, payload) == signal


@pytest.mark.parametrize("control", [Atom("x"), (), (Atom("x"),), (2, Atom(""), US)])
def test_what_is_no_control_message(control: Term) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_control(control, None)


@given(
    st.lists(
        st.binary(max_size=40)
        | st.sampled_from([b"\x83D\0", b"\x83E", b"\x83F", b"p\x83"]).flatmap(
            lambda head: st.binary(max_size=60).map(lambda rest: head + rest)
        ),
        max_size=4,
    )
)
def test_whatever_comes_only_one_error_can(bodies: list[bytes]) -> None:
    assembler = Assembler(1000)
    with contextlib.suppress(RemoteProtocolError):
        for body in bodies:
            if (message := assembler.add(body)) is not None:
                parse_control(*message)
