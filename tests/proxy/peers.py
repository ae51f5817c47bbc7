"""Scripted peers for the handshake: one side of a socketpair that says and expects frames."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from erlconnect.api import Cookie
from erlconnect.distribution.handshake_messages import (
    Challenge,
    ChallengeAck,
    ChallengeReply,
    SendName,
    Status,
    StatusKind,
    gen_digest,
)
from erlconnect.guard.link_guard import GuardConfig
from erlconnect.proxy.handshake import Cookies, HandshakeConfig
from erlconnect.session.names import alias_for

if TYPE_CHECKING:
    from erlconnect.guard.link_guard import Refusal
    from erlconnect.hookspecs import LinkEvent

FLAGS = 0xD07DF7FBD  # what OTP 25 sends, PUBLISHED among it
HIDDEN = FLAGS & ~1
LOCAL_COOKIE = "localcookie"
REMOTE_COOKIE = "remotecookie"
REAL = "app@10.3.2.1"
CALLER = "dev-user-01234567@erlconnect.invalid"
SECONDS = 5.0


class Peer:
    """The far end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock

    async def say(self, body: bytes) -> None:
        await self.send(len(body).to_bytes(2, "big") + body)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def hear(self) -> bytes:
        """Return the body of the next frame; empty at the end of the connection."""
        head = await self.exactly(2)
        return await self.exactly(int.from_bytes(head, "big")) if head else b""

    async def exactly(self, size: int) -> bytes:
        received = b""
        async with asyncio.timeout(SECONDS):
            while len(received) < size:
                piece = await self._receive(size - len(received))
                if not piece:
                    break
                received += piece
        return received

    async def _receive(self, size: int) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self.socket, size)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        self.socket.close()


def connected() -> tuple[socket.socket, Peer]:
    """Return our end, non-blocking, and the peer at the other one."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours, Peer(theirs)


def cookies() -> Cookies:
    return Cookies(
        local=Cookie(LOCAL_COOKIE, origin="a local file"),
        remote=Cookie(REMOTE_COOKIE, origin="a remote secret"),
    )


class RemoteSide:
    """What a link sees of its session: dials the scripted remote peer, notes what is reported."""

    max_frame = 1024 * 1024
    guard = GuardConfig()
    length_size = 2

    def __init__(
        self, remote: socket.socket, *, passthrough: bool = False, visible: bool = False
    ) -> None:
        self._remote = remote
        self._cookies = None if passthrough else cookies()
        self._visible = visible
        self.dialled = 0
        self.transport_words = ""
        self.ups: list[LinkEvent] = []
        self.downs: list[LinkEvent] = []
        self.warnings: list[str] = []
        self.refusals: list[tuple[LinkEvent, Refusal]] = []

    async def dial(self) -> socket.socket:
        self.dialled += 1
        return self._remote

    def close(self) -> None:
        """Close what was never dialled; a link closes what it got."""
        self._remote.close()

    def introduction(self) -> HandshakeConfig:
        return HandshakeConfig(
            alias_for=lambda local_node: alias_for("app", local_node),
            caller_name_for=lambda _: CALLER,
            neighbours=lambda *_: (),
            cookies=self._cookies,
            visible=self._visible,
            name="app",
            where=f"{REAL} at 10.3.2.1:4370",
        )

    def link_up(self, event: LinkEvent) -> None:
        self.ups.append(event)

    def link_down(self, event: LinkEvent) -> None:
        self.downs.append(event)

    async def why_ended(self, stream: socket.socket) -> str:
        del stream
        return self.transport_words

    def refused(self, link: LinkEvent, refusal: Refusal) -> None:
        self.refusals.append((link, refusal))

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def send_name(name: str = "dev@127.0.0.1", *, flags: int = FLAGS, tail: bytes = b"") -> bytes:
    return SendName(name=name, flags=flags, creation=7, tail=tail).encode()


def status(kind: StatusKind) -> bytes:
    return Status(kind=kind).encode()


def challenge(*, number: int = 1234, flags: int = FLAGS, tail: bytes = b"") -> bytes:
    return Challenge(name=REAL, flags=flags, challenge=number, creation=9, tail=tail).encode()


def reply(number: int, cookie: str, *, own: int = 42) -> bytes:
    return ChallengeReply(challenge=own, digest=gen_digest(number, cookie)).encode()


def ack(number: int, cookie: str) -> bytes:
    return ChallengeAck(digest=gen_digest(number, cookie)).encode()
