"""Answers to refused messages, in the form that the sender's protocol has for failures.

Without one, the sender of a call would wait until its timeout.

An answer names no atom of the cache: it stands in a frame of its own between those of the peer,
whose cache it must not touch.
"""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

from erlconnect.distribution.control import Operation
from erlconnect.distribution.etf import Atom, ImproperList, Pid, Reference, encode
from erlconnect.distribution.frames import framed

REASON: Final = Atom("refused_by_erlconnect")
_EMPTY: Final = Atom("")
_INTEGER: Final = range(-(2**31), 2**31)


class Answer(NamedTuple):
    """A message to the sender of a refused one: the control message, and what it carries."""

    control: tuple[Any, ...]
    payload: Any = None

    def frame(self, *, header: bool) -> bytes | None:
        """Return it as a frame; ``header`` says whether the link's frames have one.

        ``None`` where the call was cut off before what tells whom to answer.
        """
        # "Distribution Header": 131, 68 and 0 atoms, then terms without a version byte.
        # Without headers: 112 (pass-through), and 131 before each term.
        begin, version = (b"\x83D\x00", b"") if header else (b"p\x83", b"\x83")
        try:
            carried = b"" if self.payload is None else version + encode_term(self.payload)
            return framed(begin + encode_term(self.control) + carried)
        except TypeError:
            return None


def spawn_failed(request: Any, requester: Any) -> Answer | None:
    """Answer a spawn request: ``erpc:call`` raises ``{erpc, Reason}`` of it."""
    if not (isinstance(request, Reference) and isinstance(requester, Pid)):
        return None
    # The flags are 0: no process was started, so there is no link and no monitor.
    return Answer((int(Operation.SPAWN_REPLY), request, requester, 0, REASON))


def reply(sender: Any, message: Any) -> Answer | None:
    """Send ``message`` to a process."""
    if not isinstance(sender, Pid):
        return None
    return Answer((int(Operation.SEND), _EMPTY, sender), message)


def bad_rpc(message: Any) -> Answer | None:
    """Answer what was sent to ``rex``: a call of a server, or the form that C nodes use."""
    # ``rpc:call`` returns {badrpc, Reason} where the call failed (OTP's rpc.erl).
    failed = (Atom("badrpc"), REASON)
    match message:
        case ("$gen_call", (Pid() as caller, tag), _):
            return reply(caller, (tag, failed))
        case (Pid() as caller, _):
            return reply(caller, (Atom("rex"), failed))
    return None


def call_failed(message: Any) -> Answer | None:
    """Answer a call of a generic server."""
    match message:
        case ("$gen_call", (Pid() as caller, tag), _):
            return reply(caller, (tag, (Atom("error"), REASON)))
    return None


def io_failed(message: Any) -> Answer | None:
    """Answer an I/O request."""
    match message:
        case ("io_request", Pid() as sender, reference, *_):
            # "The Erlang I/O Protocol": {io_reply, ReplyAs, {error, Reason}} ends a request.
            return reply(sender, (Atom("io_reply"), reference, (Atom("error"), REASON)))
    return None


def encode_term(term: Any) -> bytes:
    """Encode what may stand in an answer: what ``terms`` encodes, and tags of calls.

    Raises ``TypeError`` for what was not read whole.
    """
    if isinstance(term, tuple):
        return b"h" + bytes([len(term)]) + b"".join(map(encode_term, term))
    if isinstance(term, ImproperList):
        elements = b"".join(map(encode_term, term.elements))
        return b"l" + struct.pack(">I", len(term.elements)) + elements + encode_term(term.tail)
    if isinstance(term, list) and term:
        return b"l" + struct.pack(">I", len(term)) + b"".join(map(encode_term, term)) + b"j"
    if isinstance(term, int) and term not in _INTEGER:
        size = (term.bit_length() + 7) // 8
        sign = bytes([term < 0])
        return b"n" + bytes([size]) + sign + abs(term).to_bytes(size, "little")
    return encode(term)
