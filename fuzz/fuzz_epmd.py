"""Any bytes as any message of epmd: a RemoteProtocolError, or what encodes to the same."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from erlconnect.distribution.errors import RemoteProtocolError
    from erlconnect.epmd.replies import Alive2Response, NamesResponse, Port2Response
    from erlconnect.epmd.requests import frame, parse_request, take_request

REPLIES = [Alive2Response.parse, Port2Response.parse, NamesResponse.parse]


def requests(data: bytes) -> None:
    """A request, bare and behind its length."""
    parsed = parse_request(data)
    assert parse_request(parsed.encode()) == parsed
    assert take_request(frame(parsed)) == parsed


def replies(data: bytes) -> None:
    """Every reply; one that is not all there is None."""
    for parse in REPLIES:
        try:
            parsed = parse(data)
        except RemoteProtocolError:
            continue
        assert parsed is None or parse(parsed.encode()) == parsed


def one_input(data: bytes) -> None:
    """Check one input."""
    for check in (requests, replies, take_request):
        try:
            check(data[:1000])
        except RemoteProtocolError:
            continue


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
