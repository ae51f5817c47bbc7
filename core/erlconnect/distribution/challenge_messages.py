"""The handshake from the challenge on, as its messages stand inside a frame.

Digests are never shown by ``repr``. Otherwise as ``handshake_messages``.
Source: "Distribution Handshake" in the Erlang Distribution Protocol.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.handshake_messages import (
    LOW_WORD,
    OLD_VERSION,
    decode_name,
    encode_name,
    take_name,
    unpack_message,
)

_CHALLENGE: Final = struct.Struct(">cQIIH")
_OLD_CHALLENGE: Final = struct.Struct(">cHII")
_COMPLEMENT: Final = struct.Struct(">cII")
_REPLY: Final = struct.Struct(">cI16s")
_ACK: Final = struct.Struct(">c16s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """``send_challenge``, new ('N') or old ('n', where ``creation`` is 0)."""

    name: str
    flags: int
    challenge: int
    creation: int = 0
    old: bool = False
    tail: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> Challenge:
        """Parse either form by its tag."""
        if body[:1] == b"n":
            _, flags, number = unpack_message(_OLD_CHALLENGE, body, b"n", "challenge")
            name = decode_name(body[_OLD_CHALLENGE.size :])
            return cls(name=name, flags=flags, challenge=number, old=True)
        flags, number, creation, length = unpack_message(_CHALLENGE, body, b"N", "challenge")
        name, tail = take_name(body, _CHALLENGE.size, length, "challenge")
        return cls(name=name, flags=flags, challenge=number, creation=creation, tail=tail)

    def encode(self) -> bytes:
        """Give the body of the frame."""
        name = encode_name(self.name)
        if self.old:
            flags = self.flags & LOW_WORD
            return _OLD_CHALLENGE.pack(b"n", OLD_VERSION, flags, self.challenge) + name
        head = _CHALLENGE.pack(b"N", self.flags, self.challenge, self.creation, len(name))
        return head + name + self.tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Complement:
    """``send_complement``: what an old ``send_name`` could not say to a new node."""

    flags_high: int
    creation: int
    tail: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> Complement:
        """Parse the body of a frame with tag 'c'."""
        flags_high, creation = unpack_message(_COMPLEMENT, body, b"c", "complement")
        return cls(flags_high=flags_high, creation=creation, tail=body[_COMPLEMENT.size :])

    def encode(self) -> bytes:
        """Give the body of the frame."""
        return _COMPLEMENT.pack(b"c", self.flags_high, self.creation) + self.tail


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeReply:
    """``send_challenge_reply``: the dialling node's digest and its own challenge."""

    challenge: int
    digest: bytes
    tail: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> ChallengeReply:
        """Parse the body of a frame with tag 'r'."""
        if body[:1] != b"r" or len(body) < _REPLY.size:
            raise RemoteProtocolError(f"challenge_reply: tag {body[:1]!r}, {len(body)} bytes")
        _, challenge, digest = _REPLY.unpack_from(body)
        return cls(challenge=challenge, digest=digest, tail=body[_REPLY.size :])

    def encode(self) -> bytes:
        """Give the body of the frame."""
        return _REPLY.pack(b"r", self.challenge, self.digest) + self.tail

    def __repr__(self) -> str:
        return "ChallengeReply(...)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeAck:
    """``send_challenge_ack``: the accepting node's digest."""

    digest: bytes
    tail: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> ChallengeAck:
        """Parse the body of a frame with tag 'a'."""
        if body[:1] != b"a" or len(body) < _ACK.size:
            raise RemoteProtocolError(f"challenge_ack: tag {body[:1]!r}, {len(body)} bytes")
        _, digest = _ACK.unpack_from(body)
        return cls(digest=digest, tail=body[_ACK.size :])

    def encode(self) -> bytes:
        """Give the body of the frame."""
        return _ACK.pack(b"a", self.digest) + self.tail

    def __repr__(self) -> str:
        return "ChallengeAck(...)"
