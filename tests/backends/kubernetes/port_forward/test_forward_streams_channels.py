"""The channels of ``v4.channel.k8s.io`` without a websocket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlconnect_backends.kubernetes.forward_streams import ForwardChannels, ForwardProtocolError

DATA, ERROR = b"\x00", b"\x01"
PORT = b"\x11\x11"


def message(channels: ForwardChannels, text: bytes) -> bytes:
    return bytes(channels.receive(memoryview(text), begins=True))


def opened() -> ForwardChannels:
    channels = ForwardChannels(4369)
    assert message(channels, DATA + PORT) == b""
    assert message(channels, ERROR + PORT) == b""
    return channels


def test_a_port_is_open_when_its_data_channel_said_which_one_it_is() -> None:
    channels = ForwardChannels(4369)
    message(channels, ERROR + PORT)
    assert not channels.opened
    message(channels, DATA + PORT[:1])
    assert not channels.opened
    message(channels, DATA + PORT[1:])
    assert channels.opened


def test_data_is_given_as_it_came() -> None:
    channels = opened()
    assert message(channels, DATA + b"\x00\x01\x11\x11") == b"\x00\x01\x11\x11"
    assert message(channels, DATA) == b""
    assert channels.error == ""


def test_data_right_behind_the_port() -> None:
    assert message(ForwardChannels(4369), DATA + PORT + b"erl") == b"erl"


def test_what_the_kubelet_says_is_kept_on_one_line() -> None:
    channels = opened()
    message(channels, ERROR + b"error forwarding port 4369:\n")
    message(channels, ERROR + b"connection refused\n")
    assert channels.error == "error forwarding port 4369: connection refused"


def test_an_error_without_end_costs_no_memory() -> None:
    channels = opened()
    for _ in range(1000):
        message(channels, ERROR + b"x" * 1000)
    assert channels.error == "x" * 4000


@pytest.mark.parametrize(
    "text", [b"\x02\x11\x11", b"\xff", DATA + b"\x11\x12", ERROR + b"\x00\x00"]
)
def test_another_protocol_is_none_of_ours(text: bytes) -> None:
    with pytest.raises(ForwardProtocolError):
        message(ForwardChannels(4369), text)


def test_an_empty_message_names_no_channel_and_says_nothing() -> None:
    channels = opened()
    assert message(channels, b"") == b""
    assert message(channels, DATA + b"erl") == b"erl"


@given(
    messages=st.lists(st.tuples(st.sampled_from([DATA, ERROR]), st.binary(max_size=40))),
    cuts=st.lists(st.integers(0, 41)),
)
def test_it_does_not_matter_where_messages_are_cut(
    messages: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    channels = opened()
    data = b""
    for number, (channel, text) in enumerate(messages):
        whole = channel + text
        cut = cuts[number % len(cuts)] if cuts else 1
        data += bytes(channels.receive(memoryview(whole[:cut]), begins=True))
        data += bytes(channels.receive(memoryview(whole[cut:]), begins=False))
    assert data == b"".join(text for channel, text in messages if channel == DATA)
