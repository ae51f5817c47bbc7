"""Both sides of the handshake, played against each other in every order that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erlconnect.distribution.errors import LocalProtocolError, RemoteProtocolError
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

NEW_NAME = SendName(name="dev@127.0.0.1", flags=0xD07DF7FBD, creation=7)
OLD_NAME = SendName(name="dev@127.0.0.1", flags=0x1DF7FBD, old=True)
NEW_CHALLENGE = Challenge(name="app@10.0.0.1", flags=0xD07DF7FBD, challenge=1, creation=9)
OLD_CHALLENGE = Challenge(name="app@10.0.0.1", flags=0x1DF7FBD, challenge=1, old=True)
COMPLEMENT = Complement(flags_high=13, creation=7)
REPLY = ChallengeReply(challenge=2, digest=bytes(16))
ACK = ChallengeAck(digest=bytes(range(16)))


def greeted(name: SendName, status: Status) -> tuple[Initiator, Acceptor]:
    """Both sides after ``send_name`` and ``status``."""
    dialling, accepting = Initiator(), Acceptor()
    assert accepting.recv_name(dialling.send_name(name)) == name
    assert dialling.recv_status(accepting.send_status(status)) == status
    return dialling, accepting


def finish(dialling: Initiator, accepting: Acceptor, challenge: Challenge) -> None:
    """Everything from the challenge on."""
    assert dialling.recv_challenge(accepting.send_challenge(challenge)) == challenge
    assert dialling.complement_due == accepting.complement_due
    if dialling.complement_due:
        assert accepting.recv_complement(dialling.send_complement(COMPLEMENT)) == COMPLEMENT
    assert accepting.recv_challenge_reply(dialling.send_challenge_reply(REPLY)) == REPLY
    assert dialling.recv_challenge_ack(accepting.send_challenge_ack(ACK)) == ACK


def is_over(dialling: Initiator, accepting: Acceptor) -> None:
    with pytest.raises(LocalProtocolError, match="'over'"):
        dialling.recv_challenge(NEW_CHALLENGE.encode())
    with pytest.raises(LocalProtocolError, match="'over'"):
        accepting.send_challenge(NEW_CHALLENGE)


@pytest.mark.parametrize(
    "status",
    [
        Status(kind=StatusKind.OK),
        Status(kind=StatusKind.OK_SIMULTANEOUS),
        Status(kind=StatusKind.NAMED, name="X7@127.0.0.1", creation=3),
    ],
)
@pytest.mark.parametrize(
    ("name", "challenge", "complement"),
    [
        (NEW_NAME, NEW_CHALLENGE, False),
        (OLD_NAME, NEW_CHALLENGE, True),
        (OLD_NAME, OLD_CHALLENGE, False),
        (NEW_NAME, OLD_CHALLENGE, False),
    ],
)
def test_new_and_old_handshakes(
    status: Status, name: SendName, challenge: Challenge, complement: bool
) -> None:
    dialling, accepting = greeted(name, status)
    dialling.recv_challenge(accepting.send_challenge(challenge))
    assert dialling.complement_due is complement

    finish(*greeted(name, status), challenge)


def test_alive_goes_on_after_true() -> None:
    dialling, accepting = greeted(NEW_NAME, Status(kind=StatusKind.ALIVE))

    answer = dialling.send_status(go_on=True)

    assert answer == b"strue"
    assert accepting.recv_status(answer)
    finish(dialling, accepting, NEW_CHALLENGE)


def test_alive_is_over_after_false() -> None:
    dialling, accepting = greeted(NEW_NAME, Status(kind=StatusKind.ALIVE))

    answer = dialling.send_status(go_on=False)

    assert answer == b"sfalse"
    assert not accepting.recv_status(answer)
    is_over(dialling, accepting)


@pytest.mark.parametrize("body", [b"", b"true", b"s", b"strue ", b"sTRUE", b"sok", b"N"])
def test_alive_wants_true_or_false(body: bytes) -> None:
    _, accepting = greeted(NEW_NAME, Status(kind=StatusKind.ALIVE))

    with pytest.raises(RemoteProtocolError, match="alive"):
        accepting.recv_status(body)


@pytest.mark.parametrize("kind", [StatusKind.NOK, StatusKind.NOT_ALLOWED])
def test_a_refusal_ends_the_handshake(kind: StatusKind) -> None:
    is_over(*greeted(NEW_NAME, Status(kind=kind)))


DIALLING: dict[str, Callable[[Initiator], object]] = {
    "name": lambda side: side.send_name(NEW_NAME),
    "status": lambda side: side.recv_status(b"sok"),
    "alive": lambda side: side.send_status(go_on=True),
    "challenge": lambda side: side.recv_challenge(NEW_CHALLENGE.encode()),
    "complement": lambda side: side.send_complement(COMPLEMENT),
    "reply": lambda side: side.send_challenge_reply(REPLY),
    "ack": lambda side: side.recv_challenge_ack(ACK.encode()),
}
ACCEPTING: dict[str, Callable[[Acceptor], object]] = {
    "name": lambda side: side.recv_name(NEW_NAME.encode()),
    "status": lambda side: side.send_status(Status(kind=StatusKind.OK)),
    "alive": lambda side: side.recv_status(b"strue"),
    "challenge": lambda side: side.send_challenge(NEW_CHALLENGE),
    "complement": lambda side: side.recv_complement(COMPLEMENT.encode()),
    "reply": lambda side: side.recv_challenge_reply(REPLY.encode()),
    "ack": lambda side: side.send_challenge_ack(ACK),
}
ORDER = ["name", "status", "challenge", "reply", "ack"]


@pytest.mark.parametrize("done", range(len(ORDER) + 1))
def test_every_other_message_is_out_of_order(done: int) -> None:
    for wrong, dial in DIALLING.items():
        if ORDER[done : done + 1] == [wrong]:
            continue
        dialling, accepting = Initiator(), Acceptor()
        for step in ORDER[:done]:
            DIALLING[step](dialling)
            ACCEPTING[step](accepting)
        with pytest.raises(LocalProtocolError):
            dial(dialling)
        with pytest.raises(LocalProtocolError):
            ACCEPTING[wrong](accepting)
