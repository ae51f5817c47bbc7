"""What an EPMD answers, in bytes.

Knows the replies to ALIVE2_REQ (both), PORT_PLEASE2_REQ, NAMES_REQ, DUMP_REQ and KILL_REQ; knows
nothing of connections. Names are the protocol chapter's own. Every ``parse`` raises
``RemoteProtocolError`` and nothing else.
Source: https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#epmd-protocol
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.epmd.requests import decode_name, encode_name

KILL_REFUSED: Final = b"NO"
"""What epmd answers KILL_REQ while nodes are registered."""

_ALIVE2_X: Final = struct.Struct(">BBI")
_ALIVE2: Final = struct.Struct(">BBH")
_PORT2: Final = struct.Struct(">BBHBBHHH")
_LENGTH: Final = struct.Struct(">H")
_PORT: Final = struct.Struct(">I")
_NAME_LINE: Final = re.compile(rb"name ([^\n]+) at port ([0-9]{1,5})\n")
_MAX_PORT: Final = 0xFFFF


class Tag(IntEnum):
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
        if received[0] not in (Tag.ALIVE2_X_RESP, Tag.ALIVE2_RESP):
            raise RemoteProtocolError(f"ALIVE2_RESP: tag {received[0]} was not expected")
        old = received[0] == Tag.ALIVE2_RESP
        layout = _ALIVE2 if old else _ALIVE2_X
        if len(received) > layout.size:
            raise RemoteProtocolError("ALIVE2_RESP: bytes follow it")
        if len(received) < layout.size:
            return None
        _, result, creation = layout.unpack(received)
        return cls(result=result, creation=creation, old=old)

    def encode(self) -> bytes:
        """Give the reply; an old one has room for 16 bits of ``creation``."""
        if self.old:
            return _ALIVE2.pack(Tag.ALIVE2_RESP, self.result, self.creation)
        return _ALIVE2_X.pack(Tag.ALIVE2_X_RESP, self.result, self.creation)


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
        if received[:1] not in (b"", bytes([Tag.PORT2_RESP])):
            raise RemoteProtocolError(f"PORT2_RESP: tag {received[0]} was not expected")
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
        """Give the reply."""
        if self.result:
            return bytes([Tag.PORT2_RESP, self.result])
        name = encode_name(self.node_name)
        numbers = (self.port_no, self.node_type, self.protocol)
        versions = (self.highest_version, self.lowest_version)
        fixed = _PORT2.pack(Tag.PORT2_RESP, self.result, *numbers, *versions, len(name))
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
        """Give the reply."""
        lines = [b"name %b at port %d\n" % (encode_name(name), port) for name, port in self.nodes]
        return _PORT.pack(self.epmd_port_no) + b"".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpResponse:
    """All that an EPMD knows: name, port and the number of the connection of each node."""

    epmd_port_no: int
    nodes: tuple[tuple[str, int, int], ...]

    def encode(self) -> bytes:
        """Give the reply; real epmd sends the zero at the end of each line too."""
        lines = [
            b"active name     <%b> at port %d, fd = %d\n\0" % (encode_name(name), port, number)
            for name, port, number in self.nodes
        ]
        return _PORT.pack(self.epmd_port_no) + b"".join(lines)
