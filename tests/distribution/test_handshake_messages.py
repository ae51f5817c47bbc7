from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from distribution.profile import repeatable
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.handshake_messages import (
    Challenge,
    ChallengeAck,
    ChallengeReply,
    Complement,
    SendName,
    Status,
    StatusKind,
    digests_equal,
    gen_challenge,
    gen_digest,
)

if TYPE_CHECKING:
    from world.erlang import ErlangNode

FLAGS = 0xD07DF7FBD
names = st.binary(max_size=300).map(lambda data: data.decode("utf-8", "surrogateescape"))
numbers = st.integers(0, 2**32 - 1)
tails = st.binary(max_size=9)
new_send_names = st.builds(
    SendName, name=names, flags=st.integers(0, 2**64 - 1), creation=numbers, tail=tails
)
old_send_names = st.builds(SendName, name=names, flags=numbers, old=st.just(True))
plain_statuses = st.builds(
    Status, kind=st.sampled_from([kind for kind in StatusKind if kind is not StatusKind.NAMED])
)
named_statuses = st.builds(
    Status, kind=st.just(StatusKind.NAMED), name=names, creation=numbers, tail=tails
)


def test_send_name_of_otp_25() -> None:
    body = b"N\0\0\0\x0d\x07\xdf\x7f\xbd\x65\x43\x21\x00\0\x0ddev@127.0.0.1"

    assert SendName.parse(body) == SendName(name="dev@127.0.0.1", flags=FLAGS, creation=0x65432100)


def test_send_name_of_version_5() -> None:
    body = b"n\0\5\x01\xdf\x7f\xbddev@127.0.0.1"

    assert SendName.parse(body) == SendName(name="dev@127.0.0.1", flags=0x1DF7FBD, old=True)


def test_old_send_name_only_has_the_low_flags() -> None:
    body = SendName(name="a@b", flags=FLAGS, old=True).encode()

    assert SendName.parse(body).flags == FLAGS & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"sok", Status(kind=StatusKind.OK)),
        (b"sok_simultaneous", Status(kind=StatusKind.OK_SIMULTANEOUS)),
        (b"snok", Status(kind=StatusKind.NOK)),
        (b"snot_allowed", Status(kind=StatusKind.NOT_ALLOWED)),
        (b"salive", Status(kind=StatusKind.ALIVE)),
        (
            b"snamed:\0\5a@b.c\1\2\3\4??",
            Status(kind=StatusKind.NAMED, name="a@b.c", creation=0x1020304, tail=b"??"),
        ),
    ],
)
def test_each_status(body: bytes, status: Status) -> None:
    assert Status.parse(body) == status
    assert status.encode() == body


@repeatable
@given(st.one_of(new_send_names, old_send_names))
def test_send_name_comes_back_with_its_tail(message: SendName) -> None:
    assert SendName.parse(message.encode()) == message


@repeatable
@given(st.one_of(plain_statuses, named_statuses))
def test_status_comes_back_with_its_tail(status: Status) -> None:
    assert Status.parse(status.encode()) == status


@repeatable
@given(new_send_names)
def test_a_send_name_cut_short_is_refused(message: SendName) -> None:
    body = message.encode()
    for end in range(len(body) - len(message.tail)):
        with pytest.raises(RemoteProtocolError, match="send_name"):
            SendName.parse(body[:end])


@repeatable
@given(named_statuses)
def test_a_named_status_cut_short_is_refused(status: Status) -> None:
    body = status.encode()
    for end in range(len(body) - len(status.tail)):
        with pytest.raises(RemoteProtocolError, match="status"):
            Status.parse(body[:end])


@pytest.mark.parametrize("body", [b"", b"n", b"n\0\5\0\0\0", b"N", b"r\0\0\0\0", b"\0N"])
def test_what_is_no_send_name(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        SendName.parse(body)


@pytest.mark.parametrize(
    "body", [b"", b"s", b"sokay", b"so\xff", b"strue", b"Nok", b"sOK", b"sok "]
)
def test_what_is_no_status(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        Status.parse(body)


@repeatable
@given(st.binary(max_size=60))
def test_garbage_is_a_remote_protocol_error_and_nothing_else(body: bytes) -> None:
    for prefixed in (body, b"N" + body, b"n" + body, b"s" + body, b"snamed:" + body):
        for parse in (SendName.parse, Status.parse):
            with contextlib.suppress(RemoteProtocolError):
                parse(prefixed)


DIGEST = bytes(range(16))
digests = st.binary(min_size=16, max_size=16)
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
def test_garbage_is_a_remote_protocol_error_and_nothing_else_of_challenge_messages(
    body: bytes,
) -> None:
    for tag in (b"", b"N", b"n", b"c", b"r", b"a"):
        for message in (Challenge, Complement, ChallengeReply, ChallengeAck):
            with contextlib.suppress(RemoteProtocolError):
                message.parse(tag + body)


COOKIES = ["secret", "", "é", "a b\n", "\xff" * 255, "ABCDEFGHIJKLMNOPQRST"]


@pytest.mark.parametrize("challenge", [0, 7, 4294967295])
def test_digests_are_those_of_a_real_node(node: ErlangNode, challenge: int) -> None:
    for cookie in COOKIES:
        characters = str([ord(character) for character in cookie])
        digest = node.evaluate(
            f"binary:decode_unsigned(erlang:md5({characters} ++ integer_to_list({challenge})))."
        )

        assert int(digest) == int.from_bytes(gen_digest(challenge, cookie), "big")


def test_a_cookie_beyond_latin_1_is_refused() -> None:
    with pytest.raises(ValueError, match="latin-1"):
        gen_digest(1, "€")


def test_digests_are_compared_whole() -> None:
    digest = gen_digest(1, "secret")

    assert digests_equal(digest, bytes(digest))
    assert not digests_equal(digest, gen_digest(2, "secret"))
    assert not digests_equal(digest, digest[:-1])


def test_challenges_are_32_bits_and_differ() -> None:
    challenges = {gen_challenge() for _ in range(100)}

    assert len(challenges) > 90
    assert max(challenges) < 1 << 32
