"""The order of the handshake, on the dialling side and on the accepting side.

Both classes turn messages into the bodies of frames and back, and hold the one state that the
protocol has: which message may come next. They decide nothing: who checks which digest, and when,
is the relay's business (``erlconnect.proxy.handshake``).

    dialling side (Initiator)                    accepting side (Acceptor)
    send_name              -- N or n -->         recv_name
    recv_status            <-- s ------          send_status
    send_status            -- s (alive) -->      recv_status
    recv_challenge         <-- N or n --         send_challenge
    send_complement        -- c (n to N) -->     recv_complement
    send_challenge_reply   -- r ------->         recv_challenge_reply
    recv_challenge_ack     <-- a -------         send_challenge_ack

Source: "Distribution Handshake" in the Erlang Distribution Protocol.
"""

from __future__ import annotations

from typing import Literal

from erlconnect.distribution.errors import LocalProtocolError, RemoteProtocolError
from erlconnect.distribution.handshake_messages import (
    Challenge,
    ChallengeAck,
    ChallengeReply,
    Complement,
    SendName,
    Status,
    StatusKind,
)

State = Literal["name", "status", "alive", "challenge", "complement", "reply", "ack", "connected"]
# `nok` and `not_allowed` end the handshake; `alive` is a question, so it has a state of its own.
_GOES_ON = {StatusKind.OK, StatusKind.OK_SIMULTANEOUS, StatusKind.NAMED}


class _Side:
    def __init__(self) -> None:
        self._state: State | Literal["over"] = "name"
        self._old_name = False

    def _step(self, here: State, then: State | Literal["over"]) -> None:
        if self._state != here:
            raise LocalProtocolError(f"{here!r} is not the next message, {self._state!r} is")
        self._state = then

    def _after_status(self, status: Status) -> None:
        after: State | Literal["over"] = "challenge" if status.kind in _GOES_ON else "over"
        self._step("status", "alive" if status.kind is StatusKind.ALIVE else after)

    def _after_challenge(self, challenge: Challenge) -> None:
        # An old send_name has no room for the high flags and the creation. A node that answered
        # it with a new challenge reads them from send_complement; an old one expects none.
        complement = self._old_name and not challenge.old
        self._step("challenge", "complement" if complement else "reply")

    @property
    def complement_due(self) -> bool:
        """Whether ``complement`` comes next: an old name was answered by a new challenge."""
        return self._state == "complement"


class Initiator(_Side):
    """The dialling side. ``send_*`` return the body of a frame, ``recv_*`` parse one."""

    def send_name(self, message: SendName) -> bytes:
        """Return the frame body with the own name, flags and creation."""
        self._step("name", "status")
        # The form of send_name decides later whether a complement is due.
        self._old_name = message.old
        return message.encode()

    def recv_status(self, body: bytes) -> Status:
        """Return whether the handshake goes on; after ``alive`` comes ``send_status``."""
        status = Status.parse(body)
        self._after_status(status)
        return status

    def send_status(self, *, go_on: bool) -> bytes:
        """Answer ``alive``: ``true`` replaces the connection that exists, ``false`` gives up."""
        self._step("alive", "challenge" if go_on else "over")
        return b"strue" if go_on else b"sfalse"

    def recv_challenge(self, body: bytes) -> Challenge:
        """Return the accepting node's name, flags, creation and challenge."""
        challenge = Challenge.parse(body)
        self._after_challenge(challenge)
        return challenge

    def send_complement(self, message: Complement) -> bytes:
        """Return the high flags and the creation, for which the old ``send_name`` has no field."""
        self._step("complement", "reply")
        return message.encode()

    def send_challenge_reply(self, message: ChallengeReply) -> bytes:
        """Return the frame body with the digest for their challenge, and a challenge of our own."""
        self._step("reply", "ack")
        return message.encode()

    def recv_challenge_ack(self, body: bytes) -> ChallengeAck:
        """Return the answer to our challenge; the caller checks the digest."""
        ack = ChallengeAck.parse(body)
        self._step("ack", "connected")
        return ack


class Acceptor(_Side):
    """The accepting side. ``send_*`` return the body of a frame, ``recv_*`` parse one."""

    def recv_name(self, body: bytes) -> SendName:
        """Return the dialling node's name, flags and creation."""
        message = SendName.parse(body)
        self._step("name", "status")
        self._old_name = message.old
        return message

    def send_status(self, status: Status) -> bytes:
        """Return the frame body of a status; after ``alive`` comes ``recv_status``."""
        self._after_status(status)
        return status.encode()

    def recv_status(self, body: bytes) -> bool:
        """Return whether the dialling node wants its existing connection replaced (``true``)."""
        if body not in (b"strue", b"sfalse"):
            raise RemoteProtocolError("status: neither 'true' nor 'false' in answer to 'alive'")
        go_on = body == b"strue"
        self._step("alive", "challenge" if go_on else "over")
        return go_on

    def send_challenge(self, challenge: Challenge) -> bytes:
        """Return the frame body with our name, flags, creation and challenge."""
        self._after_challenge(challenge)
        return challenge.encode()

    def recv_complement(self, body: bytes) -> Complement:
        """Return the high flags and the creation, for which the old ``send_name`` has no field."""
        message = Complement.parse(body)
        self._step("complement", "reply")
        return message

    def recv_challenge_reply(self, body: bytes) -> ChallengeReply:
        """Return the dialling node's digest and challenge; the caller checks the digest."""
        reply = ChallengeReply.parse(body)
        self._step("reply", "ack")
        return reply

    def send_challenge_ack(self, message: ChallengeAck) -> bytes:
        """Return the frame body with our digest; the connection is up once it is sent."""
        self._step("ack", "connected")
        return message.encode()
