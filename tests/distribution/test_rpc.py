"""The frames of an own connection: what is asked, and what counts as the answer."""

from __future__ import annotations

import pytest

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf import Atom, Pid, Reference, Term, decode, encode
from erlconnect.distribution.rpc import (
    auth_request,
    call,
    evaluation,
    evaluation_result,
    is_auth_answer,
    message_of,
)

CALLER = "check@erlconnect.invalid"
US = Pid(node=CALLER, id=1, serial=0, creation=1)


def sent(message: Term, *control: Term) -> bytes:
    words = control or (2, Atom(""), US)
    return b"p\x83" + encode(words) + b"\x83" + encode(message)


def parts(frame: bytes) -> tuple[Term, Term]:
    """The control term and the message of a frame of ours."""
    assert frame[:2] == b"p\x83"
    control, end = decode(frame, 2)
    message, last = decode(frame, end + 1)
    assert (frame[end], last) == (0x83, len(frame))
    return control, message


def test_the_question_of_ping_goes_to_net_kernel() -> None:
    control, message = parts(auth_request(CALLER))
    assert control == (6, US, Atom(""), Atom("net_kernel"))
    reference = Reference(node=CALLER, creation=1, words=(1, 2, 3))
    assert message == (
        Atom("$gen_call"),
        (US, reference),
        (Atom("is_auth"), Atom(CALLER)),
    )
    assert is_auth_answer((reference, Atom("yes")), CALLER)
    assert not is_auth_answer((reference, Atom("no")), CALLER)
    assert not is_auth_answer((Atom("rex"), Atom("yes")), CALLER)


def test_a_call_goes_to_rex_as_that_of_a_c_node() -> None:
    form = call("erlang", "node")
    control, message = parts(evaluation(CALLER, form))
    assert control == (6, US, Atom(""), Atom("rex"))
    tuple_form = (Atom("tuple"), 1, [form])
    arguments: Term = [[tuple_form], []]
    exprs = (Atom("erl_eval"), Atom("exprs"), arguments)
    assert message == (US, (Atom("call"), *exprs, Atom("user")))


def test_the_values_are_taken_out_of_the_answer() -> None:
    value: Term = (Atom("value"), (1, b"two"), [])
    assert evaluation_result((Atom("rex"), value)) == (1, b"two")
    assert evaluation_result((Atom("other"), value)) is None
    with pytest.raises(RemoteProtocolError, match="the call failed"):
        evaluation_result((Atom("rex"), (Atom("badrpc"), Atom("nodedown"))))


def test_a_message_is_what_is_sent_to_our_pid() -> None:
    assert message_of(sent(Atom("hello"))) == Atom("hello")


def test_ticks_and_other_signals_are_none() -> None:
    assert message_of(b"") is None
    assert message_of(sent(1, 19, US, Atom("x"), Atom("y"))) is None
    # Without a payload: a monitor.
    assert message_of(b"p\x83" + encode((19, US, Atom("x")))) is None


@pytest.mark.parametrize(
    "frame", [b"x", b"\x83D\0", sent(1)[:-2], sent(1).replace(b"\x83a", b"\0a")]
)
def test_what_is_no_frame_is_an_error_of_the_peer(frame: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        message_of(frame)
