from __future__ import annotations

import contextlib

import pytest
from distribution.profile import repeatable
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.handshake_messages import SendName, Status, StatusKind

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
