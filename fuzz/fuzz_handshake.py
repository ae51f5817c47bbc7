"""Any bytes as any message of the handshake: a RemoteProtocolError, or what encodes to the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz_input import InputReader

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.handshake import Acceptor, Initiator
from erlconnect.distribution.handshake_messages import (
    Challenge,
    ChallengeAck,
    ChallengeReply,
    Complement,
    SendName,
    Status,
    StatusKind,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Message = SendName | Status | Challenge | Complement | ChallengeReply | ChallengeAck
PARSERS: list[Callable[[bytes], Message]] = [
    SendName.parse,
    Status.parse,
    Challenge.parse,
    Complement.parse,
    ChallengeReply.parse,
    ChallengeAck.parse,
]
GREETING = SendName(name="a@b", flags=0, old=True)


def dialling(bodies: list[bytes]) -> None:
    """Feed what an accepting node might send to the dialling side."""
    side = Initiator()
    side.send_name(GREETING)
    status = side.recv_status(bodies[0]).kind
    if status in (StatusKind.NOK, StatusKind.NOT_ALLOWED):
        return
    if status is StatusKind.ALIVE:
        side.send_status(go_on=True)
    side.recv_challenge(bodies[1])
    if side.complement_due:
        side.send_complement(Complement(flags_high=0, creation=0))
    side.send_challenge_reply(ChallengeReply(challenge=0, digest=bytes(16)))
    side.recv_challenge_ack(bodies[2])


def accepting(bodies: list[bytes]) -> None:
    """Feed what a dialling node might send to the accepting side."""
    side = Acceptor()
    side.recv_name(bodies[0])
    side.send_status(Status(kind=StatusKind.ALIVE))
    if not side.recv_status(bodies[1][:6]):
        return
    side.send_challenge(Challenge(name="a@b", flags=0, challenge=0))
    if side.complement_due:
        side.recv_complement(bodies[2])
    side.recv_challenge_reply(bodies[3])


def one_input(data: bytes) -> None:
    """Check one input."""
    reader = InputReader(data)
    bodies = [reader.counted(61) for _ in range(4)]
    for body in bodies:
        for parse in PARSERS:
            try:
                parsed = parse(body)
            except RemoteProtocolError:
                continue
            assert parse(parsed.encode()) == parsed
    for side in (dialling, accepting):
        try:
            side(bodies)
        except RemoteProtocolError:
            continue
