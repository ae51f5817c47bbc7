"""The messages of the EPMD protocol, requests and replies, to and from bytes.

    request             tag   reply
    ALIVE2_REQ          120   ALIVE2_X_RESP (118), or ALIVE2_RESP (121) for nodes before OTP 23
    PORT_PLEASE2_REQ    122   PORT2_RESP (119)
    NAMES_REQ           110   port of the EPMD, then a line for each node
    DUMP_REQ            100   the same with more in each line
    KILL_REQ            107   ``OK`` or ``NO``
    STOP_REQ            115   none here: the embedded EPMD drops no node

A request is one message with a 16-bit length in front; a reply has none and ends with its last
field or with the connection. Every parser raises ``RemoteProtocolError`` and nothing else. Names of
fields are those of the protocol's chapter:
https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#epmd-protocol
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from erlconnect.distribution.errors import RemoteProtocolError

NORMAL_NODE: Final = 77
HIDDEN_NODE: Final = 72
# The body of the longest request that OTP's own epmd takes (INBUF_SIZE in epmd_int.h).
MAX_REQUEST: Final = 1021
KILL_REFUSED: Final = b"NO"
"""What epmd answers KILL_REQ while nodes are registered."""
_LENGTH: Final = struct.Struct(">H")
_ALIVE2_REQUEST: Final = struct.Struct(">BHBBHHH")
_ALIVE2_X_RESPONSE: Final = struct.Struct(">BBI")
_ALIVE2_RESPONSE: Final = struct.Struct(">BBH")
_PORT2: Final = struct.Struct(">BBHBBHHH")
_PORT: Final = struct.Struct(">I")
_NAME_LINE: Final = re.compile(rb"name ([^\n]+) at port ([0-9]{1,5})\n")
_MAX_PORT: Final = 0xFFFF


class RequestTag(IntEnum):
    """The first byte of a request's body."""

    ALIVE2_REQ = 120
    PORT_PLEASE2_REQ = 122
    NAMES_REQ = 110
    DUMP_REQ = 100
    KILL_REQ = 107
    STOP_REQ = 115


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive2Request:
    """Registers a node under ``node_name``, for as long as the connection lives."""

    port_no: int
    node_name: str
    node_type: int = NORMAL_NODE
    protocol: int = 0
    highest_version: int = 6
    lowest_version: int = 5
    extra: bytes = b""

    def encode(self) -> bytes:
        """Return the body; ``ValueError`` where a field does not fit."""
        name = encode_name(self.node_name)
        numbers = (self.port_no, self.node_type, self.protocol)
        versions = (self.highest_version, self.lowest_version)
        try:
            fixed = _ALIVE2_REQUEST.pack(RequestTag.ALIVE2_REQ, *numbers, *versions, len(name))
            return fixed + name + _LENGTH.pack(len(self.extra)) + self.extra
        except struct.error as error:
            raise ValueError(f"ALIVE2_REQ: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PortPlease2Request:
    """Asks for the distribution port of ``node_name``."""

    node_name: str

    def encode(self) -> bytes:
        """Return the body."""
        return bytes([RequestTag.PORT_PLEASE2_REQ]) + encode_name(self.node_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesRequest:
    """Asks for all names."""

    def encode(self) -> bytes:
        """Return the body."""
        return bytes([RequestTag.NAMES_REQ])


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpRequest:
    """Asks for all that the EPMD knows."""

    def encode(self) -> bytes:
        """Return the body."""
        return bytes([RequestTag.DUMP_REQ])


@dataclass(frozen=True, slots=True, kw_only=True)
class KillRequest:
    """Asks the EPMD to end."""

    def encode(self) -> bytes:
        """Return the body."""
        return bytes([RequestTag.KILL_REQ])


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """Asks the EPMD to forget ``node_name``."""

    node_name: str

    def encode(self) -> bytes:
        """Return the body."""
        return bytes([RequestTag.STOP_REQ]) + encode_name(self.node_name)


Request = (
    Alive2Request | PortPlease2Request | NamesRequest | DumpRequest | KillRequest | StopRequest
)


def frame(request: Request) -> bytes:
    """Return a request as it stands on the wire: a 16-bit length, then the body."""
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
    # The EPMD protocol has one request for each connection.
    if len(body) > length:
        raise RemoteProtocolError("request: bytes follow it, and a connection has but one")
    return parse_request(body) if len(body) == length else None


def parse_request(body: bytes) -> Request:
    """Parse the body of a request; bytes after the last field are ignored, as epmd does."""
    match body[0] if body else None:
        case RequestTag.ALIVE2_REQ:
            return _parse_alive2(body)
        case RequestTag.PORT_PLEASE2_REQ:
            return PortPlease2Request(node_name=_only_name(body, "PORT_PLEASE2_REQ"))
        case RequestTag.NAMES_REQ:
            return NamesRequest()
        case RequestTag.DUMP_REQ:
            return DumpRequest()
        case RequestTag.KILL_REQ:
            return KillRequest()
        case RequestTag.STOP_REQ:
            return StopRequest(node_name=_only_name(body, "STOP_REQ"))
        case _:
            raise RemoteProtocolError("request: one that the protocol does not know")


def _parse_alive2(body: bytes) -> Alive2Request:
    if len(body) < _ALIVE2_REQUEST.size:
        raise RemoteProtocolError(f"ALIVE2_REQ: {len(body)} bytes are too few")
    _, port_no, node_type, protocol, highest, lowest, length = _ALIVE2_REQUEST.unpack_from(body)
    name, rest = (
        body[_ALIVE2_REQUEST.size : _ALIVE2_REQUEST.size + length],
        body[_ALIVE2_REQUEST.size + length :],
    )
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


class ResponseTag(IntEnum):
    """The first byte of a reply that has a tag."""

    ALIVE2_X_RESP = 118
    ALIVE2_RESP = 121
    PORT2_RESP = 119


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive2Response:
    """Whether a node is registered: ``result`` 0 is yes; ``old`` is the form of before OTP 23."""

    result: int
    creation: int
    old: bool = False

    @classmethod
    def parse(cls, received: bytes) -> Alive2Response | None:
        """Parse either form by its tag; ``None`` while bytes are missing."""
        if not received:
            return None
        if received[0] not in (ResponseTag.ALIVE2_X_RESP, ResponseTag.ALIVE2_RESP):
            raise RemoteProtocolError(f"ALIVE2_RESP: tag {received[0]} was not expected")
        old = received[0] == ResponseTag.ALIVE2_RESP
        # ALIVE2_RESP has a creation of 16 bits, ALIVE2_X_RESP one of 32; nodes accept both.
        layout = _ALIVE2_RESPONSE if old else _ALIVE2_X_RESPONSE
        if len(received) > layout.size:
            raise RemoteProtocolError("ALIVE2_RESP: bytes follow it")
        if len(received) < layout.size:
            return None
        _, result, creation = layout.unpack(received)
        return cls(result=result, creation=creation, old=old)

    def encode(self) -> bytes:
        """Return the reply; an old one has room for 16 bits of ``creation``."""
        if self.old:
            return _ALIVE2_RESPONSE.pack(ResponseTag.ALIVE2_RESP, self.result, self.creation)
        return _ALIVE2_X_RESPONSE.pack(ResponseTag.ALIVE2_X_RESP, self.result, self.creation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Port2Response:
    """What a node registered with; all but ``result`` is there only where that is 0."""

    result: int
    port_no: int = 0
    node_type: int = 0
    protocol: int = 0
    highest_version: int = 0
    lowest_version: int = 0
    node_name: str = ""
    extra: bytes = b""

    @classmethod
    def parse(cls, received: bytes) -> Port2Response | None:
        """Parse a reply; ``None`` while bytes are missing."""
        if received[:1] not in (b"", bytes([ResponseTag.PORT2_RESP])):
            raise RemoteProtocolError(f"PORT2_RESP: tag {received[0]} was not expected")
        # A refusal ends here: the other fields come with result 0 only.
        if len(received) > 1 and received[1]:
            return cls(result=received[1])
        if len(received) < _PORT2.size:
            return None
        _, result, port_no, node_type, protocol, highest, lowest, length = _PORT2.unpack_from(
            received
        )
        name, rest = received[_PORT2.size :][:length], received[_PORT2.size + length :]
        extra_end = _LENGTH.size + int.from_bytes(rest[: _LENGTH.size])
        if len(rest) < extra_end:
            return None
        return cls(
            result=result,
            port_no=port_no,
            node_type=node_type,
            protocol=protocol,
            highest_version=highest,
            lowest_version=lowest,
            node_name=decode_name(name),
            extra=rest[_LENGTH.size : extra_end],
        )

    def encode(self) -> bytes:
        """Return the reply."""
        if self.result:
            return bytes([ResponseTag.PORT2_RESP, self.result])
        name = encode_name(self.node_name)
        numbers = (self.port_no, self.node_type, self.protocol)
        versions = (self.highest_version, self.lowest_version)
        fixed = _PORT2.pack(ResponseTag.PORT2_RESP, self.result, *numbers, *versions, len(name))
        return fixed + name + _LENGTH.pack(len(self.extra)) + self.extra


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesResponse:
    """All names with their ports, and the port that the EPMD takes for its own.

    ``erl_epmd`` ignores a reply whose ``epmd_port_no`` is not that of its own EPMD.
    """

    epmd_port_no: int
    nodes: tuple[tuple[str, int], ...]

    @classmethod
    def parse(cls, reply: bytes) -> NamesResponse:
        """Parse a whole reply, which the end of the connection ends."""
        if len(reply) < _PORT.size:
            raise RemoteProtocolError("NAMES_RESP: no port at its beginning")
        nodes: list[tuple[str, int]] = []
        offset = _PORT.size
        while offset < len(reply):
            line = _NAME_LINE.match(reply, offset)
            if line is None or int(line[2]) > _MAX_PORT:
                raise RemoteProtocolError(f"NAMES_RESP: no name and port at offset {offset}")
            nodes.append((decode_name(line[1]), int(line[2])))
            offset = line.end()
        return cls(epmd_port_no=_PORT.unpack_from(reply)[0], nodes=tuple(nodes))

    def encode(self) -> bytes:
        """Return the reply."""
        lines = [b"name %b at port %d\n" % (encode_name(name), port) for name, port in self.nodes]
        return _PORT.pack(self.epmd_port_no) + b"".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpResponse:
    """All that an EPMD knows: name, port and the number of the connection of each node."""

    epmd_port_no: int
    nodes: tuple[tuple[str, int, int], ...]

    def encode(self) -> bytes:
        """Return the reply."""
        # Real epmd sends the zero at the end of each line, too.
        lines = [
            b"active name     <%b> at port %d, fd = %d\n\0" % (encode_name(name), port, number)
            for name, port, number in self.nodes
        ]
        return _PORT.pack(self.epmd_port_no) + b"".join(lines)


def decode_name(name: bytes) -> str:
    """Return the text of a name in UTF-8; other bytes survive a round trip all the same."""
    return name.decode("utf-8", "surrogateescape")


def encode_name(name: str) -> bytes:
    """Return the bytes from which ``decode_name`` made ``name``."""
    return name.encode("utf-8", "surrogateescape")
