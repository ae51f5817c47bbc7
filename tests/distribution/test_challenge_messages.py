from __future__ import annotations

import contextlib

import pytest
from distribution.profile import repeatable
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.challenge_messages import (
    Challenge,
    ChallengeAck,
    ChallengeReply,
    Complement,
)
from erlconnect.distribution.errors import RemoteProtocolError

FLAGS = 0xD07DF7FBD
DIGEST = bytes(range(16))

names = st.binary(max_size=300).map(lambda data: data.decode("utf-8", "surrogateescape"))
numbers = st.integers(0, 2**32 - 1)
digests = st.binary(min_size=16, max_size=16)
tails = st.binary(max_size=9)

new_challenges = st.builds(
    Challenge,
    name=names,
    flags=st.integers(0, 2**64 - 1),
    challenge=numbers,
    creation=numbers,
    tail=tails,
)
old_challenges = st.builds(
    Challenge, name=names, flags=numbers, challenge=numbers, old=st.just(True)
)
complements = st.builds(Complement, flags_high=numbers, creation=numbers, tail=tails)
replies = st.builds(ChallengeReply, challenge=numbers, digest=digests, tail=tails)
acks = st.builds(ChallengeAck, digest=digests, tail=tails)


def test_challenge_of_otp_25() -> None:
    body = b"N\0\0\0\x0d\x07\xdf\x7f\xbd\xaa\xbb\xcc\xdd\0\0\0\7\0\5a@b.ctail"

    assert Challenge.parse(body) == Challenge(
        name="a@b.c", flags=FLAGS, challenge=0xAABBCCDD, creation=7, tail=b"tail"
    )


def test_challenge_of_version_5() -> None:
    body = b"n\0\5\x01\xdf\x7f\xbd\xaa\xbb\xcc\xdda@b.c"

    assert Challenge.parse(body) == Challenge(
        name="a@b.c", flags=0x1DF7FBD, challenge=0xAABBCCDD, old=True
    )


def test_the_three_messages_of_fixed_size() -> None:
    assert Complement.parse(b"c\0\0\0\x0d\0\0\0\7") == Complement(flags_high=13, creation=7)
    assert ChallengeReply.parse(b"r\0\0\0\5" + DIGEST) == ChallengeReply(challenge=5, digest=DIGEST)
    assert ChallengeAck.parse(b"a" + DIGEST) == ChallengeAck(digest=DIGEST)


def test_digests_are_never_shown() -> None:
    shown = repr((ChallengeReply(challenge=5, digest=DIGEST), ChallengeAck(digest=DIGEST)))

    assert shown == "(ChallengeReply(...), ChallengeAck(...))"


@repeatable
@given(st.one_of(new_challenges, old_challenges, complements, replies, acks))
def test_every_message_comes_back_with_its_tail(
    message: Challenge | Complement | ChallengeReply | ChallengeAck,
) -> None:
    assert type(message).parse(message.encode()) == message


@repeatable
@given(st.one_of(new_challenges, complements, replies, acks))
def test_every_message_cut_short_is_refused(
    message: Challenge | Complement | ChallengeReply | ChallengeAck,
) -> None:
    body = message.encode()
    for end in range(len(body) - len(message.tail)):
        with pytest.raises(RemoteProtocolError):
            type(message).parse(body[:end])


@pytest.mark.parametrize("end", range(11))
def test_an_old_challenge_cut_short_is_refused(end: int) -> None:
    body = Challenge(name="", flags=1, challenge=2, old=True).encode()

    with pytest.raises(RemoteProtocolError, match="challenge"):
        Challenge.parse(body[:end])


@repeatable
@given(st.binary(max_size=60))
def test_garbage_is_a_remote_protocol_error_and_nothing_else(body: bytes) -> None:
    for tag in (b"", b"N", b"n", b"c", b"r", b"a"):
        for message in (Challenge, Complement, ChallengeReply, ChallengeAck):
            with contextlib.suppress(RemoteProtocolError):
                message.parse(tag + body)
