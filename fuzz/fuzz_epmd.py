"""Any bytes as any message of epmd: a RemoteProtocolError, or what encodes to the same.

A request is also answered as the embedded server does, and its answer read by our own client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz_input import InputReader

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.epmd.messages import (
    Alive2Request,
    Alive2Response,
    NamesRequest,
    NamesResponse,
    Port2Response,
    PortPlease2Request,
    frame,
    parse_request,
    take_request,
)
from erlconnect.epmd.server import NodeTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from erlconnect.epmd.messages import Request

EPMD_PORT = 4369
REPLIES: list[Callable[[bytes], Alive2Response | Port2Response | NamesResponse | None]] = [
    Alive2Response.parse,
    Port2Response.parse,
    NamesResponse.parse,
]


def requests(data: bytes) -> None:
    """Check a request, bare and behind its length."""
    parsed = parse_request(data)
    assert parse_request(parsed.encode()) == parsed
    assert take_request(frame(parsed)) == parsed


def replies(data: bytes) -> None:
    """Check every reply; one that is not all there is None."""
    for parse in REPLIES:
        try:
            parsed = parse(data)
        except RemoteProtocolError:
            continue
        assert parsed is None or parse(parsed.encode()) == parsed


def received(data: bytes) -> None:
    """Check a request that comes by and by: nothing is taken before it is all there."""
    whole = take_request(data)
    for end in range(len(data)):
        assert take_request(data[:end]) is None
    if whole is not None:
        assert frame(whole)


def conversation(data: bytes) -> None:
    """Check the answers of one server to several requests, each over a connection of its own."""
    reader = InputReader(data)
    node_table = NodeTable(EPMD_PORT, creation=1)
    for number in range(8):
        try:
            request = parse_request(reader.counted(256))
        except RemoteProtocolError:
            continue
        understood(request, node_table.answer(request, number).reply)
        if reader.number(4) == 0:
            node_table.remove_owner(number)


def understood(request: Request, reply: bytes) -> None:
    """Check that our client understands the answer to ``request``."""
    match request:
        case Alive2Request():
            assert Alive2Response.parse(reply) is not None
        case PortPlease2Request():
            assert Port2Response.parse(reply) is not None
        case NamesRequest():
            assert NamesResponse.parse(reply).epmd_port_no == EPMD_PORT


def one_input(data: bytes) -> None:
    """Check one input."""
    for check in (requests, replies, received, conversation):
        try:
            check(data[:1000])
        except RemoteProtocolError:
            continue
