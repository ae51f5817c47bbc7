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
        complement = self._old_name and not challenge.old
        self._step("challenge", "complement" if complement else "reply")

    @property
    def complement_due(self) -> bool:
        """Whether ``complement`` comes next: an old name was answered by a new challenge."""
        return self._state == "complement"


class Initiator(_Side):
    """The dialling side. ``send_*`` gives the body of a frame, ``recv_*`` takes one."""

    def send_name(self, message: SendName) -> bytes:
        """Say who dials."""
        self._step("name", "status")
        self._old_name = message.old
        return message.encode()

    def recv_status(self, body: bytes) -> Status:
        """Learn whether the handshake goes on; ``alive`` wants ``send_status`` next."""
        status = Status.parse(body)
        self._after_status(status)
        return status

    def send_status(self, *, go_on: bool) -> bytes:
        """Answer ``alive``: ``true`` replaces the connection that exists, ``false`` gives up."""
        self._step("alive", "challenge" if go_on else "over")
        return b"strue" if go_on else b"sfalse"

    def recv_challenge(self, body: bytes) -> Challenge:
        """Learn the accepting node's name, flags, creation and challenge."""
        challenge = Challenge.parse(body)
        self._after_challenge(challenge)
        return challenge

    def send_complement(self, message: Complement) -> bytes:
        """Say what the old ``send_name`` could not."""
        self._step("complement", "reply")
        return message.encode()

    def send_challenge_reply(self, message: ChallengeReply) -> bytes:
        """Answer the challenge and pose an own one."""
        self._step("reply", "ack")
        return message.encode()

    def recv_challenge_ack(self, body: bytes) -> ChallengeAck:
        """Take the answer to the own challenge; whether it is right is for the caller to check."""
        ack = ChallengeAck.parse(body)
        self._step("ack", "connected")
        return ack


class Acceptor(_Side):
    """The accepting side. ``send_*`` gives the body of a frame, ``recv_*`` takes one."""

    def recv_name(self, body: bytes) -> SendName:
        """Learn who dials."""
        message = SendName.parse(body)
        self._step("name", "status")
        self._old_name = message.old
        return message

    def send_status(self, status: Status) -> bytes:
        """Return whether the handshake goes on; after ``alive`` comes ``recv_status``."""
        self._after_status(status)
        return status.encode()

    def recv_status(self, body: bytes) -> bool:
        """Take the answer to ``alive``: whether the existing connection is to be replaced."""
        if body not in (b"strue", b"sfalse"):
            raise RemoteProtocolError("status: neither 'true' nor 'false' in answer to 'alive'")
        go_on = body == b"strue"
        self._step("alive", "challenge" if go_on else "over")
        return go_on

    def send_challenge(self, challenge: Challenge) -> bytes:
        """Say the own name, flags and creation, and pose a challenge."""
        self._after_challenge(challenge)
        return challenge.encode()

    def recv_complement(self, body: bytes) -> Complement:
        """Learn what the old ``send_name`` could not say."""
        message = Complement.parse(body)
        self._step("complement", "reply")
        return message

    def recv_challenge_reply(self, body: bytes) -> ChallengeReply:
        """Take the dialling node's digest and challenge; the caller checks the digest."""
        reply = ChallengeReply.parse(body)
        self._step("reply", "ack")
        return reply

    def send_challenge_ack(self, message: ChallengeAck) -> bytes:
        """Answer the dialling node's challenge: the connection is up."""
        self._step("ack", "connected")
        return message.encode()
