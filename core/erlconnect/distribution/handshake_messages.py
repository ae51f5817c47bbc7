"""The handshake before the challenge: ``send_name`` and ``status``, as they stand inside a frame.

Names are the protocol chapter's own. Every ``parse`` takes the body of one frame and raises
``RemoteProtocolError`` and nothing else; bytes after the last known field "must be accepted and
ignored", so they are kept in ``tail`` for a relay to pass on.
Source: "Distribution Handshake" in the Erlang Distribution Protocol.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from erlconnect.distribution.errors import RemoteProtocolError

_SEND_NAME: Final = struct.Struct(">cQIH")
_OLD_SEND_NAME: Final = struct.Struct(">cHI")
OLD_VERSION: Final = 5
LOW_WORD: Final = 0xFFFFFFFF


def unpack_message(layout: struct.Struct, body: bytes, tag: bytes, message: str) -> tuple[int, ...]:
    """Unpack the fixed part of a message after its tag."""
    if body[:1] != tag:
        raise RemoteProtocolError(f"{message}: tag {body[:1]!r} where {tag!r} was expected")
    if len(body) < layout.size:
        raise RemoteProtocolError(f"{message}: {len(body)} bytes, at least {layout.size} expected")
    return layout.unpack_from(body)[1:]


def take_name(body: bytes, start: int, length: int, message: str) -> tuple[str, bytes]:
    """Split what is left of a message into a name and the bytes after it."""
    end = start + length
    if end > len(body):
        raise RemoteProtocolError(f"{message}: the name ends beyond the message")
    return decode_name(body[start:end]), body[end:]


def decode_name(text: bytes) -> str:
    """Names are UTF-8; bytes that are not survive a round trip all the same."""
    return text.decode("utf-8", "surrogateescape")


def encode_name(name: str) -> bytes:
    """Undo ``decode_name``."""
    return name.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendName:
    """``send_name``, new ('N') or old ('n', where ``creation`` is 0 and flags have 32 bits)."""

    name: str
    flags: int
    creation: int = 0
    old: bool = False
    tail: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> SendName:
        """Parse either form by its tag."""
        if body[:1] == b"n":
            _, flags = unpack_message(_OLD_SEND_NAME, body, b"n", "send_name")
            return cls(name=decode_name(body[_OLD_SEND_NAME.size :]), flags=flags, old=True)
        flags, creation, length = unpack_message(_SEND_NAME, body, b"N", "send_name")
        name, tail = take_name(body, _SEND_NAME.size, length, "send_name")
        return cls(name=name, flags=flags, creation=creation, tail=tail)

    def encode(self) -> bytes:
        """Give the body of the frame."""
        name = encode_name(self.name)
        if self.old:
            return _OLD_SEND_NAME.pack(b"n", OLD_VERSION, self.flags & LOW_WORD) + name
        return _SEND_NAME.pack(b"N", self.flags, self.creation, len(name)) + name + self.tail


class StatusKind(StrEnum):
    """The statuses that the accepting node may answer ``send_name`` with."""

    OK = "ok"
    OK_SIMULTANEOUS = "ok_simultaneous"
    NOK = "nok"
    NOT_ALLOWED = "not_allowed"
    ALIVE = "alive"
    NAMED = "named:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """``send_status``; ``name`` and ``creation`` only with ``named:`` (a dynamic node name)."""

    kind: StatusKind
    name: str = ""
    creation: int = 0
    tail: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> Status:
        """Parse one status; one that the protocol does not know is an error."""
        if body[:1] != b"s":
            raise RemoteProtocolError(f"status: tag {body[:1]!r} where b's' was expected")
        if body[1:7] == b"named:":
            return cls._parse_named(body)
        try:
            return cls(kind=StatusKind(body[1:].decode("ascii")))
        except ValueError as error:
            raise RemoteProtocolError("status: a status that the protocol does not know") from error

    @classmethod
    def _parse_named(cls, body: bytes) -> Status:
        length = int.from_bytes(body[7:9], "big")
        name, rest = take_name(body, 9, length, "status named:")
        if len(rest) < 4:  # noqa: PLR2004 - a creation has 32 bits
            raise RemoteProtocolError("status named: no creation after the name")
        creation = int.from_bytes(rest[:4], "big")
        return cls(kind=StatusKind.NAMED, name=name, creation=creation, tail=rest[4:])

    def encode(self) -> bytes:
        """Give the body of the frame."""
        text = b"s" + self.kind.encode()
        if self.kind is not StatusKind.NAMED:
            return text
        name = encode_name(self.name)
        return text + struct.pack(">H", len(name)) + name + self.creation.to_bytes(4) + self.tail
