"""Local nodes made of one socket each: as many as wanted, with names that no real node has."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from end_to_end.scripted_remote import hear, say
from world.connected import LOCAL_COOKIE

from erlconnect.distribution.handshake_messages import (
    Challenge,
    ChallengeAck,
    ChallengeReply,
    SendName,
    Status,
    StatusKind,
    gen_digest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_FLAGS: Final = 0xD07DF7FBD  # what OTP 25 sends
_OWN_CHALLENGE: Final = 42
_SECONDS: Final = 20


def dialled(ready: Mapping[str, Any], name: str) -> socket.socket:
    """Dial the alias and send ``send_name``."""
    sock = socket.create_connection(("127.0.0.1", ready["aliases"][0]["local_port"]), _SECONDS)
    say(sock, SendName(name=name, flags=_FLAGS, creation=1).encode())
    return sock


def linked(ready: Mapping[str, Any], name: str) -> socket.socket:
    """Return the socket of a link that is up: both sides have shown that they know the cookie."""
    sock = dialled(ready, name)
    assert Status.parse(hear(sock)).kind is StatusKind.OK
    posed = Challenge.parse(hear(sock))
    digest = gen_digest(posed.challenge, LOCAL_COOKIE)
    say(sock, ChallengeReply(challenge=_OWN_CHALLENGE, digest=digest).encode())
    assert ChallengeAck.parse(hear(sock)).digest == gen_digest(_OWN_CHALLENGE, LOCAL_COOKIE)
    return sock
