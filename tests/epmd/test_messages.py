"""The messages of the EPMD protocol, to and from bytes."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.epmd.messages import (
    MAX_REQUEST,
    Alive2Request,
    Alive2Response,
    DumpRequest,
    DumpResponse,
    KillRequest,
    NamesRequest,
    NamesResponse,
    Port2Response,
    PortPlease2Request,
    Request,
    StopRequest,
    decode_name,
    frame,
    parse_request,
    take_request,
)

names = st.binary(min_size=1, max_size=300).filter(lambda name: b"\n" not in name).map(decode_name)
words = st.integers(0, 0xFFFF)
bytes_ = st.integers(0, 0xFF)
alive2 = st.one_of(
    st.builds(Alive2Response, result=bytes_, creation=st.integers(0, 0xFFFFFFFF)),
    st.builds(Alive2Response, result=bytes_, creation=words, old=st.just(True)),
)
port2 = st.one_of(
    st.builds(Port2Response, result=st.integers(1, 255)),
    st.builds(
        Port2Response,
        result=st.just(0),
        port_no=words,
        node_type=bytes_,
        protocol=bytes_,
        highest_version=words,
        lowest_version=words,
        node_name=names,
        extra=st.binary(max_size=300),
    ),
)
listings = st.builds(
    NamesResponse,
    epmd_port_no=words,
    nodes=st.lists(st.tuples(names, words), max_size=5).map(tuple),
)


@pytest.mark.parametrize(
    ("wire", "reply"),
    [
        (b"v\0\x6b\x01\x5a\xcd", Alive2Response(result=0, creation=0x6B015ACD)),
        (b"v\1\0\0\0\x63", Alive2Response(result=1, creation=99)),
        (b"y\0\0\3", Alive2Response(result=0, creation=3, old=True)),
    ],
)
def test_alive2_replies_as_real_epmd_sends_them(wire: bytes, reply: Alive2Response) -> None:
    assert Alive2Response.parse(wire) == reply
    assert reply.encode() == wire


def test_port2_replies_as_real_epmd_sends_them() -> None:
    reply = Port2Response(
        result=0,
        port_no=1234,
        node_type=77,
        highest_version=6,
        lowest_version=5,
        node_name="app",
    )
    assert Port2Response.parse(b"w\0\x04\xd2M\0\0\6\0\5\0\3app\0\0") == reply
    assert Port2Response.parse(b"w\1") == Port2Response(result=1)


def test_names_reply_as_real_epmd_sends_it() -> None:
    reply = NamesResponse.parse(b"\0\0\x61\x27name b at port 1234\nname app at port 99\n")
    assert reply.epmd_port_no == 24871
    assert reply.nodes == (("b", 1234), ("app", 99))


def test_dump_reply_as_real_epmd_sends_it() -> None:
    dump = DumpResponse(epmd_port_no=24871, nodes=(("app", 1234, 5),))
    assert dump.encode() == b"\0\0\x61\x27active name     <app> at port 1234, fd = 5\n\0"


@given(alive2, st.data())
def test_alive2_replies_survive_the_wire_in_pieces(
    reply: Alive2Response, data: st.DataObject
) -> None:
    wire = reply.encode()
    assert Alive2Response.parse(wire) == reply
    assert Alive2Response.parse(wire[: data.draw(st.integers(0, len(wire) - 1))]) is None


@given(port2, st.data())
def test_port2_replies_survive_the_wire_in_pieces(
    reply: Port2Response, data: st.DataObject
) -> None:
    wire = reply.encode()
    assert Port2Response.parse(wire) == reply
    assert Port2Response.parse(wire[: data.draw(st.integers(0, len(wire) - 1))]) is None


@given(listings)
def test_names_replies_survive_the_wire(listing: NamesResponse) -> None:
    assert NamesResponse.parse(listing.encode()) == listing


@given(st.binary(max_size=64), st.sampled_from([b"", b"v", b"y", b"w\0", b"\0\0\x11\x11name "]))
def test_garbage_is_a_protocol_error_and_nothing_else(garbage: bytes, begin: bytes) -> None:
    for parse in (Alive2Response.parse, Port2Response.parse, NamesResponse.parse):
        with suppress(RemoteProtocolError):
            parse(begin + garbage)


@given(listings, st.data())
def test_a_cut_listing_is_never_taken_for_another(
    listing: NamesResponse, data: st.DataObject
) -> None:
    wire = listing.encode()
    cut = wire[: data.draw(st.integers(0, len(wire)))]
    try:
        parsed = NamesResponse.parse(cut)
    except RemoteProtocolError:
        return
    assert parsed.nodes == listing.nodes[: len(parsed.nodes)]


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"w", b"v\0\0\0\0\0\0"])
def test_what_is_no_alive2_reply(reply: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        Alive2Response.parse(reply)


@pytest.mark.parametrize(
    "reply", [b"", b"\0\0\x11", b"HTTP/1.1 400\r\n", b"\0\0\x11\x11name a at port 65536\n"]
)
def test_what_is_no_names_reply(reply: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        NamesResponse.parse(reply)


names_requests = (
    st.binary(min_size=1, max_size=300).filter(lambda name: b"\0" not in name).map(decode_name)
)
requests = st.one_of(
    st.builds(
        Alive2Request,
        port_no=words,
        node_name=names_requests,
        node_type=bytes_,
        protocol=bytes_,
        highest_version=words,
        lowest_version=words,
        extra=st.binary(max_size=300),
    ),
    st.builds(PortPlease2Request, node_name=names_requests),
    st.builds(StopRequest, node_name=names_requests),
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
def test_garbage_is_a_protocol_error_and_nothing_else_of_requests(body: bytes) -> None:
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
