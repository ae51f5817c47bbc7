"""Control messages of our own client: those that it sends, and those that it understands.

Each is a term; some are followed by a second one, the payload. Where the connection has
distribution headers, a frame of ours begins with an empty one, without atoms. Elsewhere it begins
with the type of a frame without such a header (112, pass-through).
Source: "Protocol between Connected Nodes" and "Distribution Header".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.control import Operation
from erlconnect.distribution.errors import MessageTooLongError, RemoteProtocolError
from erlconnect.distribution.etf import Atom, Pid, Reference, Term, decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence


_MESSAGES: Final = {
    Operation.SEND: 2,
    Operation.SEND_TT: 2,
    Operation.SEND_SENDER: 2,
    Operation.SEND_SENDER_TT: 2,
    Operation.ALIAS_SEND: 2,
    Operation.ALIAS_SEND_TT: 2,
}
"""The operations that bring a message, and where its receiver stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTo:
    """A message to one of our processes or aliases."""

    receiver: Term
    message: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnReply:
    """The answer to a spawn request: the pid, or an atom with the reason of the failure."""

    request: Term
    result: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkExit:
    """A process that is linked to ``ours`` has ended."""

    process: Term
    ours: Term
    reason: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRequest:
    """A process of the node monitors ``monitored``, a process of ours."""

    process: Term
    monitored: Term
    reference: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlinkRequest:
    """A process of the node unlinks one of ours, and waits for the acknowledgement."""

    number: Term
    process: Term
    ours: Term


Signal = MessageTo | SpawnReply | LinkExit | MonitorRequest | UnlinkRequest


def parse_control(control: Term, payload: Term | None) -> Signal | None:  # noqa: PLR0911 - one a kind
    """Return the signal of a control message; ``None`` for one that a client has no use for.

    Raises ``RemoteProtocolError`` if ``control`` is not a tuple that begins with a number.
    """
    match control:
        case (int() as operation, *_) if operation in _MESSAGES:
            if payload is None or not isinstance(control, tuple):
                raise RemoteProtocolError(f"operation {operation}: no message in it")
            receiver = control[_MESSAGES[Operation(operation)]] if len(control) > 2 else None  # noqa: PLR2004
            return None if receiver is None else MessageTo(receiver=receiver, message=payload)
        case (Operation.SPAWN_REPLY, request, _, _, result, *_):
            return SpawnReply(request=request, result=result)
        case (Operation.EXIT, process, ours, reason) | (
            Operation.EXIT_TT,
            process,
            ours,
            _,
            reason,
        ):
            return LinkExit(process=process, ours=ours, reason=reason)
        case (Operation.PAYLOAD_EXIT | Operation.PAYLOAD_EXIT_TT, process, ours, *_) if (
            payload is not None
        ):
            return LinkExit(process=process, ours=ours, reason=payload)
        case (Operation.MONITOR_P, process, monitored, reference):
            return MonitorRequest(process=process, monitored=monitored, reference=reference)
        # The node waits for an UNLINK_ID_ACK with the same id ("Link Protocol").
        case (Operation.UNLINK_ID, number, process, ours):
            return UnlinkRequest(number=number, process=process, ours=ours)
        # Other operations, also those of later releases, are legal and need no reply of ours.
        case (int(), *_):
            return None
    raise RemoteProtocolError("a frame without a control message")


def send(receiver: Pid, message: Term) -> tuple[Term, Term]:
    """Return the control message and payload that bring ``message`` to a pid."""
    # The second element is "Unused" in the specification; nodes send the empty atom.
    return (Operation.SEND, Atom(""), receiver), message


def send_to_name(sender: Pid, name: str, message: Term) -> tuple[Term, Term]:
    """Return what brings ``message`` to the process that is registered as ``name``."""
    return (Operation.REG_SEND, sender, Atom(""), Atom(name)), message


def spawn_request(
    reference: Reference,
    sender: Pid,
    group_leader: Pid,
    call: tuple[str, str, Sequence[Term]],
    options: Sequence[Term],
) -> tuple[Term, Term]:
    """Return what asks the node to start a process that runs ``call``."""
    module, function, arguments = call
    # The arguments are the payload; the control message has only their number.
    name = (Atom(module), Atom(function), len(arguments))
    control = (Operation.SPAWN_REQUEST, reference, sender, group_leader, name, list(options))
    return control, list(arguments)


def link(sender: Pid, process: Pid) -> Term:
    """Return the control message that links ``process`` to ours."""
    return (Operation.LINK, sender, process)


def kill(sender: Pid, process: Pid) -> Term:
    """Return the control message that ends ``process`` at once, whatever it does."""
    # A process that traps exits cannot trap the reason `kill` (`erlang:exit/2`).
    return (Operation.EXIT2, sender, process, Atom("kill"))


def monitor_exit(sender: Term, receiver: Term, reference: Term, reason: str) -> Term:
    """Return the control message that reports the end of a process of ours to its monitor."""
    return (Operation.MONITOR_P_EXIT, sender, receiver, reference, Atom(reason))


def unlink_acknowledgement(request: UnlinkRequest) -> Term:
    """Return the answer to an unlink request."""
    return (Operation.UNLINK_ID_ACK, request.number, request.ours, request.process)


_PASS_THROUGH: Final = b"p"
_VERSION: Final = b"\x83"
# 131, 68 and 0 atom cache references ("Distribution Header").
_HEADER_WITHOUT_ATOMS: Final = b"\x83D\x00"
# 131 and 69 or 70, the sequence and the fragment number, 64 bits each.
_FRAGMENT_HEAD: Final = 2 + 8 + 8


def frame_body(control: Term, payload: Term | None, *, header: bool) -> bytes:
    """Return the body of a frame; ``header`` says whether the connection has such headers."""
    terms = [control] if payload is None else [control, payload]
    # An IntEnum is an int by its type already; a term is one by its value.
    encoded = [encode(_plain(term)) for term in terms]
    if header:
        return _HEADER_WITHOUT_ATOMS + b"".join(encoded)
    return _PASS_THROUGH + b"".join(_VERSION + term for term in encoded)


def _plain(term: Term) -> Term:
    if isinstance(term, tuple) and term and isinstance(term[0], Operation):
        return (int(term[0]), *term[1:])
    return term


class Assembler:
    """Joins the fragments of messages; an unfragmented frame is a message already.

    ``MessageTooLongError`` is raised as soon as unfinished messages have over ``longest`` bytes.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._under_way: dict[bytes, bytearray] = {}

    def add(self, body: bytes) -> tuple[Term, Term | None] | None:
        """Return control message and payload of a message that is complete, else ``None``.

        Raises ``RemoteProtocolError`` or ``MessageTooLongError``.
        """
        kind = body[:2]
        if kind == b"\x83D":
            return self._parse(body, 2)
        if kind == b"\x83E":
            return self._first(body)
        if kind == b"\x83F":
            return self._next(body)
        if body[:1] == _PASS_THROUGH:
            return _parse_passed_through(body)
        raise RemoteProtocolError(f"a frame that begins with {kind!r}")

    def _first(self, body: bytes) -> tuple[Term, Term | None] | None:
        sequence, number = body[2:10], int.from_bytes(body[10:_FRAGMENT_HEAD], "big")
        message = bytearray(body[_FRAGMENT_HEAD:])
        # Fragment numbers count down to 1, so a first fragment with 1 is the whole message.
        if number == 1:
            return self._parse(bytes(message), 0)
        self._under_way[sequence] = message
        self._check()
        return None

    def _next(self, body: bytes) -> tuple[Term, Term | None] | None:
        sequence, number = body[2:10], int.from_bytes(body[10:_FRAGMENT_HEAD], "big")
        message = self._under_way.get(sequence)
        if message is None:
            raise RemoteProtocolError("a fragment of no message")
        message += body[_FRAGMENT_HEAD:]
        self._check()
        if number != 1:
            return None
        del self._under_way[sequence]
        return self._parse(bytes(message), 0)

    def _check(self) -> None:
        # Fragments of several messages may alternate, so the limit holds for all of them together.
        if sum(map(len, self._under_way.values())) > self._longest:
            raise MessageTooLongError(f"a message of more than {self._longest} bytes")

    def _parse(self, message: bytes, at: int) -> tuple[Term, Term | None]:
        # A client does not claim an atom cache, so each header must have 0 atoms.
        if message[at : at + 1] != b"\0":
            raise RemoteProtocolError(
                "a distribution header with atoms, which we have no cache for"
            )
        # Behind a distribution header no term has a version byte.
        control, end = decode(message, at + 1)
        return control, decode(message, end)[0] if end < len(message) else None


def _parse_passed_through(body: bytes) -> tuple[Term, Term | None]:
    if body[1:2] != _VERSION:
        raise RemoteProtocolError("a control message without its version byte")
    control, end = decode(body, 2)
    if end == len(body):
        return control, None
    if body[end : end + 1] != _VERSION:
        raise RemoteProtocolError(f"a message without its version byte at {end}")
    return control, decode(body, end + 1)[0]
