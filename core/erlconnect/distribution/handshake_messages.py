"""The messages of the handshake, as they stand inside a frame, and challenges and digests.

Names of messages and fields are those of the protocol's chapter. Every ``parse`` takes the body of
one frame and raises ``RemoteProtocolError`` and nothing else. Bytes after the last known field
"must be accepted and ignored", so they are kept in ``tail`` for a relay to pass on. Digests are
never shown by ``repr``.
Source: "Distribution Handshake" and "Semantics of gen_challenge and gen_digest" in the Erlang
Distribution Protocol.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from erlconnect.distribution.errors import RemoteProtocolError

_SEND_NAME: Final = struct.Struct(">cQIH")
_OLD_SEND_NAME: Final = struct.Struct(">cHI")
_CHALLENGE: Final = struct.Struct(">cQIIH")
_OLD_CHALLENGE: Final = struct.Struct(">cHII")
# Complement, reply and ack have fixed sizes; a digest is an MD5 of 16 bytes.
_COMPLEMENT: Final = struct.Struct(">cII")
_REPLY: Final = struct.Struct(">cI16s")
_ACK: Final = struct.Struct(">c16s")
# The version field of the old forms is always 5 ("Distribution Handshake").
OLD_VERSION: Final = 5
LOW_WORD: Final = 0xFFFFFFFF


def unpack_message(layout: struct.Struct, body: bytes, tag: bytes, message: str) -> tuple[int, ...]:
    """Unpack the fixed part of a message after its tag."""
    if body[:1] != tag:
        raise RemoteProtocolError(f"{message}: tag {body[:1]!r} where {tag!r} was expected")
    if len(body) < layout.size:
        raise RemoteProtocolError(f"{message}: {len(body)} bytes, at least {layout.size} expected")
    return layout.unpack_from(body)[1:]


def read_name(body: bytes, start: int, length: int, message: str) -> tuple[str, bytes]:
    """Split what is left of a message into a name and the bytes after it."""
    end = start + length
    if end > len(body):
        raise RemoteProtocolError(f"{message}: the name ends beyond the message")
    return decode_name(body[start:end]), body[end:]


def decode_name(text: bytes) -> str:
    """Return a name from UTF-8; other bytes become surrogates, which ``encode_name`` undoes."""
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
            # The old form has no length of the name: it goes to the end, so there is no tail.
            _, flags = unpack_message(_OLD_SEND_NAME, body, b"n", "send_name")
            return cls(name=decode_name(body[_OLD_SEND_NAME.size :]), flags=flags, old=True)
        flags, creation, length = unpack_message(_SEND_NAME, body, b"N", "send_name")
        name, tail = read_name(body, _SEND_NAME.size, length, "send_name")
        return cls(name=name, flags=flags, creation=creation, tail=tail)

    def encode(self) -> bytes:
        """Return the body of the frame."""
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
        # "named:" is the only status that has binary fields after its text.
        if body[1:7] == b"named:":
            return cls._parse_named(body)
        try:
            return cls(kind=StatusKind(body[1:].decode("ascii")))
        except ValueError as error:
            raise RemoteProtocolError("status: a status that the protocol does not know") from error

    @classmethod
    def _parse_named(cls, body: bytes) -> Status:
        length = int.from_bytes(body[7:9], "big")
        name, rest = read_name(body, 9, length, "status named:")
        if len(rest) < 4:  # noqa: PLR2004 - a creation has 32 bits
            raise RemoteProtocolError("status named: no creation after the name")
        creation = int.from_bytes(rest[:4], "big")
        return cls(kind=StatusKind.NAMED, name=name, creation=creation, tail=rest[4:])

    def encode(self) -> bytes:
        """Return the body of the frame."""
        text = b"s" + self.kind.encode()
        if self.kind is not StatusKind.NAMED:
            return text
        name = encode_name(self.name)
        return text + struct.pack(">H", len(name)) + name + self.creation.to_bytes(4) + self.tail


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
        name, tail = read_name(body, _CHALLENGE.size, length, "challenge")
        return cls(name=name, flags=flags, challenge=number, creation=creation, tail=tail)

    def encode(self) -> bytes:
        """Return the body of the frame."""
        name = encode_name(self.name)
        if self.old:
            flags = self.flags & LOW_WORD
            return _OLD_CHALLENGE.pack(b"n", OLD_VERSION, flags, self.challenge) + name
        head = _CHALLENGE.pack(b"N", self.flags, self.challenge, self.creation, len(name))
        return head + name + self.tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Complement:
    """``send_complement``: the fields that the old ``send_name`` lacks, for a new node."""

    flags_high: int
    creation: int
    tail: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> Complement:
        """Parse the body of a frame with tag 'c'."""
        flags_high, creation = unpack_message(_COMPLEMENT, body, b"c", "complement")
        return cls(flags_high=flags_high, creation=creation, tail=body[_COMPLEMENT.size :])

    def encode(self) -> bytes:
        """Return the body of the frame."""
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
        """Return the body of the frame."""
        return _REPLY.pack(b"r", self.challenge, self.digest) + self.tail

    # With a challenge and its digest a cookie can be guessed offline, so logs must have neither.
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
        """Return the body of the frame."""
        return _ACK.pack(b"a", self.digest) + self.tail

    def __repr__(self) -> str:
        return "ChallengeAck(...)"


def gen_challenge() -> int:
    """Return a random 32-bit challenge from a cryptographic source."""
    return secrets.randbits(32)


def gen_digest(challenge: int, cookie: str) -> bytes:
    """Return MD5 over the cookie's characters followed by the challenge in decimal: 16 bytes.

    The characters are Latin-1 (``atom_to_list`` of the cookie), never UTF-8; ``ValueError`` where
    the cookie has characters beyond U+00FF.
    """
    text = cookie.encode("latin-1") + str(challenge).encode()
    # The protocol prescribes MD5; the argument lets it work where a FIPS policy forbids it.
    return hashlib.md5(text, usedforsecurity=False).digest()


def digests_equal(left: bytes, right: bytes) -> bool:
    """Return whether both are the same, in a time that does not depend on where they differ."""
    return hmac.compare_digest(left, right)
