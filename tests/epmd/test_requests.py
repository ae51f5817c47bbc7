from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.epmd.requests import (
    MAX_REQUEST,
    Alive2Request,
    DumpRequest,
    KillRequest,
    NamesRequest,
    PortPlease2Request,
    Request,
    StopRequest,
    decode_name,
    frame,
    parse_request,
    take_request,
)

names = st.binary(min_size=1, max_size=300).filter(lambda name: b"\0" not in name).map(decode_name)
words = st.integers(0, 0xFFFF)
bytes_ = st.integers(0, 0xFF)

requests = st.one_of(
    st.builds(
        Alive2Request,
        port_no=words,
        node_name=names,
        node_type=bytes_,
        protocol=bytes_,
        highest_version=words,
        lowest_version=words,
        extra=st.binary(max_size=300),
    ),
    st.builds(PortPlease2Request, node_name=names),
    st.builds(StopRequest, node_name=names),
    st.sampled_from([NamesRequest(), DumpRequest(), KillRequest()]),
)


def test_alive2_req_of_the_specification() -> None:
    registering = Alive2Request(port_no=0x1234, node_name="app")
    assert frame(registering) == b"\0\x10x\x12\x34M\0\0\x06\0\x05\0\x03app\0\0"


@pytest.mark.parametrize(
    ("request_", "wire"),
    [
        (PortPlease2Request(node_name="app"), b"\0\x04zapp"),
        (NamesRequest(), b"\0\x01n"),
        (DumpRequest(), b"\0\x01d"),
        (KillRequest(), b"\0\x01k"),
        (StopRequest(node_name="app"), b"\0\x04sapp"),
    ],
)
def test_the_other_requests_of_the_specification(request_: Request, wire: bytes) -> None:
    assert frame(request_) == wire
    assert take_request(wire) == request_


@given(requests)
def test_every_request_survives_the_wire(request: Request) -> None:
    assert take_request(frame(request)) == request


@given(requests, st.data())
def test_a_request_that_is_still_coming_is_waited_for(
    request: Request, data: st.DataObject
) -> None:
    wire = frame(request)
    assert take_request(wire[: data.draw(st.integers(0, len(wire) - 1))]) is None


@given(st.binary(max_size=64))
def test_garbage_is_a_protocol_error_and_nothing_else(body: bytes) -> None:
    for parse in (parse_request, take_request):
        with suppress(RemoteProtocolError):
            parse(body)


@given(requests, st.data())
def test_a_cut_body_never_becomes_another_error(request: Request, data: st.DataObject) -> None:
    body = request.encode()
    cut = body[: data.draw(st.integers(0, len(body)))] + data.draw(st.binary(max_size=8))
    with suppress(RemoteProtocolError):
        parse_request(cut)


@pytest.mark.parametrize(
    "wire", [b"\0\0", (MAX_REQUEST + 1).to_bytes(2) + b"n", b"\0\x01nn"], ids=repr
)
def test_frames_that_epmd_refuses_are_refused(wire: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        take_request(wire)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Q",
        b"z",
        b"z\0",
        b"za\0bc",
        b"s",
        b"x\x12\x34M\0\0\x06\0\x05\0",
        b"x\x12\x34M\0\0\x06\0\x05\0\0\0\0",
        b"x\x12\x34M\0\0\x06\0\x05\0\x02a",
        b"x\x12\x34M\0\0\x06\0\x05\0\x02a\0\0\0",
        b"x\x12\x34M\0\0\x06\0\x05\0\x01a\0",
        b"x\x12\x34M\0\0\x06\0\x05\0\x01a\0\x01",
    ],
    ids=repr,
)
def test_bodies_that_epmd_refuses_are_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_request(body)


def test_the_zero_that_old_clients_put_after_a_name_is_ignored() -> None:
    assert parse_request(b"zapp\0") == PortPlease2Request(node_name="app")


def test_a_request_that_no_epmd_takes_is_not_sent() -> None:
    with pytest.raises(ValueError, match="1021"):
        frame(PortPlease2Request(node_name="a" * MAX_REQUEST))
    with pytest.raises(ValueError, match="ALIVE2_REQ"):
        frame(Alive2Request(port_no=65536, node_name="app"))
