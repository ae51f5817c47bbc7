"""Requests that erlconnect sends over a connection of its own, and their answers.

There are two: the request of ``net_adm:ping``, and one call through ``rex``, the server behind
``rpc``, in the form that it has for C nodes. Frames have no distribution header, because such a
connection claims neither an atom cache nor fragments.
Source: "Protocol between Connected Nodes", OTP's ``net_adm``, ``rpc`` and ``ei_rpc``.
"""

from __future__ import annotations

from typing import Final

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf import Atom, Pid, Reference, Term, decode, encode

CREATION: Final = 1
"""The creation for ``send_name``; the pid below has the same, so that answers reach it."""
TICK: Final = b""
"""The body of a tick: a frame of length 0."""
_PASS_THROUGH: Final = b"p"
_VERSION: Final = b"\x83"
_SEND: Final = 2
_REG_SEND: Final = 6
_LINE: Final = 1  # of an abstract form


def auth_request(caller_name: str) -> bytes:
    """Return the frame of the request that ``net_adm:ping`` sends."""
    # What `gen:call` sends: the tag, where the answer goes, and the request of `net_adm:ping/1`.
    is_auth = (Atom("is_auth"), Atom(caller_name))
    call = (Atom("$gen_call"), (_own_pid(caller_name), _own_reference(caller_name)), is_auth)
    return _message_to("net_kernel", caller_name, call)


def is_auth_answer(message: Term, caller_name: str) -> bool:
    """Return whether this is the answer to ``auth_request``."""
    return message == (_own_reference(caller_name), Atom("yes"))


def evaluation(caller_name: str, *expressions: Term) -> bytes:
    """Return the frame that has the node evaluate abstract forms, as one call."""
    # One tuple of all expressions makes one call of them, and one round trip.
    form = (Atom("tuple"), _LINE, list(expressions))
    call = (Atom("call"), Atom("erl_eval"), Atom("exprs"), [[form], []], Atom("user"))
    return _message_to("rex", caller_name, (_own_pid(caller_name), call))


def evaluation_result(message: Term) -> tuple[Term, ...] | None:
    """Return the values of an ``evaluation``; ``None`` where ``message`` is something else.

    Raises ``RemoteProtocolError`` where the call failed.
    """
    match message:
        # `erl_eval:exprs/2` returns {value, Value, Bindings}; a failed call is {badrpc, Reason}.
        case ("rex", ("value", tuple() as values, _)):
            return values
        case ("rex", _):
            raise RemoteProtocolError("rex: the call failed")
    return None


def call(module: str, function: str, *arguments: Term) -> Term:
    """Return the form of a remote call; ``arguments`` are forms too."""
    name = (Atom("remote"), _LINE, atom(module), atom(function))
    return (Atom("call"), _LINE, name, list(arguments))


def atom(text: str) -> Term:
    """Return the form of an atom."""
    return (Atom("atom"), _LINE, Atom(text))


def differs(left: Term, right: Term) -> Term:
    """Return the form of ``left =/= right``."""
    return (Atom("op"), _LINE, Atom("=/="), left, right)


def or_undefined(form: Term) -> Term:
    """Return the form of ``try form catch _:_ -> undefined end``."""
    # A clause of ``try`` matches a tuple of class, reason and stack in the abstract format.
    anything = (Atom("var"), _LINE, Atom("_"))
    caught = (Atom("tuple"), _LINE, [anything] * 3)
    clause: Term = (Atom("clause"), _LINE, [caught], [], [atom("undefined")])
    return (Atom("try"), _LINE, [form], [], [clause], [])


def message_of(body: bytes) -> Term | None:
    """Return the message in a frame; ``None`` for a tick and for any other signal.

    Raises ``RemoteProtocolError`` where the frame cannot be read.
    """
    if not body:
        return None
    if body[:2] != _PASS_THROUGH + _VERSION:
        raise RemoteProtocolError(f"a frame that begins with {body[:2]!r}")
    control, end = decode(body, 2)
    # Both answers come by SEND; a node may send other operations at any time.
    if not (isinstance(control, tuple) and control[:1] == (_SEND,)):
        return None
    # A frame that is passed through has a version byte before each of its two terms.
    if body[end : end + 1] != _VERSION:
        raise RemoteProtocolError(f"a message without its version byte at {end}")
    return decode(body, end + 1)[0]


def _message_to(process: str, caller_name: str, message: Term) -> bytes:
    # The third element is "Unused" in the specification; nodes send the empty atom.
    control = (_REG_SEND, _own_pid(caller_name), Atom(""), Atom(process))
    return _PASS_THROUGH + _VERSION + encode(control) + _VERSION + encode(message)


def _own_pid(caller_name: str) -> Pid:
    return Pid(node=caller_name, id=1, serial=0, creation=CREATION)


def _own_reference(caller_name: str) -> Reference:
    return Reference(node=caller_name, creation=CREATION, words=(1, 2, 3))
