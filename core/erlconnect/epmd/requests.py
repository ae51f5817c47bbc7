"""What is asked of an EPMD, in bytes.

Knows every request of the protocol and its limits; knows nothing of replies and of connections.
Names are the protocol chapter's own. Input raises ``RemoteProtocolError`` and nothing else.
Source: https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#epmd-protocol
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from erlconnect.distribution.errors import RemoteProtocolError

NORMAL_NODE: Final = 77
HIDDEN_NODE: Final = 72

# The body of the longest request that OTP's own epmd takes (INBUF_SIZE in epmd_int.h).
MAX_REQUEST: Final = 1021

_LENGTH: Final = struct.Struct(">H")
_ALIVE2: Final = struct.Struct(">BHBBHHH")


class Tag(IntEnum):
    """The first byte of a request's body."""

    ALIVE2_REQ = 120
    PORT_PLEASE2_REQ = 122
    NAMES_REQ = 110
    DUMP_REQ = 100
    KILL_REQ = 107
    STOP_REQ = 115


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive2Request:
    """A node registers under ``node_name``, for as long as the connection lives."""

    port_no: int
    node_name: str
    node_type: int = NORMAL_NODE
    protocol: int = 0
    highest_version: int = 6
    lowest_version: int = 5
    extra: bytes = b""

    def encode(self) -> bytes:
        """Give the body; ``ValueError`` where a field does not fit."""
        name = encode_name(self.node_name)
        numbers = (self.port_no, self.node_type, self.protocol)
        versions = (self.highest_version, self.lowest_version)
        try:
            fixed = _ALIVE2.pack(Tag.ALIVE2_REQ, *numbers, *versions, len(name))
            return fixed + name + _LENGTH.pack(len(self.extra)) + self.extra
        except struct.error as error:
            raise ValueError(f"ALIVE2_REQ: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PortPlease2Request:
    """Somebody asks for the distribution port of ``node_name``."""

    node_name: str

    def encode(self) -> bytes:
        """Give the body."""
        return bytes([Tag.PORT_PLEASE2_REQ]) + encode_name(self.node_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesRequest:
    """Somebody asks for all names."""

    def encode(self) -> bytes:
        """Give the body."""
        return bytes([Tag.NAMES_REQ])


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpRequest:
    """Somebody asks for all that the EPMD knows."""

    def encode(self) -> bytes:
        """Give the body."""
        return bytes([Tag.DUMP_REQ])


@dataclass(frozen=True, slots=True, kw_only=True)
class KillRequest:
    """Somebody wants the EPMD to end."""

    def encode(self) -> bytes:
        """Give the body."""
        return bytes([Tag.KILL_REQ])


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """Somebody wants the EPMD to drop ``node_name``."""

    node_name: str

    def encode(self) -> bytes:
        """Give the body."""
        return bytes([Tag.STOP_REQ]) + encode_name(self.node_name)


Request = (
    Alive2Request | PortPlease2Request | NamesRequest | DumpRequest | KillRequest | StopRequest
)


def frame(request: Request) -> bytes:
    """Give a request as it stands on the wire: a 16-bit length, then the body."""
    body = request.encode()
    if len(body) > MAX_REQUEST:
        raise ValueError(f"a request of {len(body)} bytes, at most {MAX_REQUEST} fit")
    return _LENGTH.pack(len(body)) + body


def take_request(received: bytes) -> Request | None:
    """Parse the one request of a connection; ``None`` while bytes are missing."""
    if len(received) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack_from(received)
    if not 0 < length <= MAX_REQUEST:
        raise RemoteProtocolError(f"request: {length} bytes, 1 to {MAX_REQUEST} expected")
    body = received[_LENGTH.size :]
    if len(body) > length:
        raise RemoteProtocolError("request: bytes follow it, and a connection has but one")
    return parse_request(body) if len(body) == length else None


def parse_request(body: bytes) -> Request:
    """Parse the body of a request; bytes after the last field are ignored, as epmd does."""
    match body[0] if body else None:
        case Tag.ALIVE2_REQ:
            return _parse_alive2(body)
        case Tag.PORT_PLEASE2_REQ:
            return PortPlease2Request(node_name=_only_name(body, "PORT_PLEASE2_REQ"))
        case Tag.NAMES_REQ:
            return NamesRequest()
        case Tag.DUMP_REQ:
            return DumpRequest()
        case Tag.KILL_REQ:
            return KillRequest()
        case Tag.STOP_REQ:
            return StopRequest(node_name=_only_name(body, "STOP_REQ"))
        case _:
            raise RemoteProtocolError("request: one that the protocol does not know")


def decode_name(name: bytes) -> str:
    """Names are UTF-8; bytes that are not survive a round trip all the same."""
    return name.decode("utf-8", "surrogateescape")


def encode_name(name: str) -> bytes:
    """Undo ``decode_name``."""
    return name.encode("utf-8", "surrogateescape")


def _parse_alive2(body: bytes) -> Alive2Request:
    if len(body) < _ALIVE2.size:
        raise RemoteProtocolError(f"ALIVE2_REQ: {len(body)} bytes are too few")
    _, port_no, node_type, protocol, highest, lowest, length = _ALIVE2.unpack_from(body)
    name, rest = body[_ALIVE2.size : _ALIVE2.size + length], body[_ALIVE2.size + length :]
    if not name or len(name) < length or b"\0" in name:
        raise RemoteProtocolError("ALIVE2_REQ: the name is cut, empty or holds a zero")
    extra_end = _LENGTH.size + int.from_bytes(rest[: _LENGTH.size])
    if len(rest) < extra_end:
        raise RemoteProtocolError("ALIVE2_REQ: the extra field is cut")
    return Alive2Request(
        port_no=port_no,
        node_name=decode_name(name),
        node_type=node_type,
        protocol=protocol,
        highest_version=highest,
        lowest_version=lowest,
        extra=rest[_LENGTH.size : extra_end],
    )


def _only_name(body: bytes, message: str) -> str:
    name = body[1:].removesuffix(b"\0")
    if not name or b"\0" in name:
        raise RemoteProtocolError(f"{message}: the name is empty or holds a zero")
    return decode_name(name)
