"""The distribution handshake with both nodes at once: who checks what, and in which order.

    local node (A)        erlconnect                  remote node (B)
    send_name      ->     caller name, flags   ->
                          status               <-     status
                   <-     status (relayed)
                          challenge            <-     challenge
                   <-     alias, own challenge
    challenge_reply ->    checks A's digest
                          challenge_reply      ->
                          checks B's digest    <-     challenge_ack
                   <-     challenge_ack

A proves that it knows the local cookie before the remote cookie is used, so a wrong local cookie
never reaches B. B's ack is checked before A gets one. In both flag words PUBLISHED is cleared, or
``global`` would connect A's cluster with B's. In pass-through, challenges and digests are relayed
and no cookie is known here. Status ``alive`` needs one more round (``_relay_status``).
Source: "Distribution Handshake" in the Erlang Distribution Protocol.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from erlconnect.distribution.flags import DistributionFlag, flag_names, hidden, missing_flags
from erlconnect.distribution.handshake import Acceptor, Initiator
from erlconnect.distribution.handshake_messages import (
    ChallengeAck,
    ChallengeReply,
    SendName,
    StatusKind,
    digests_equal,
    gen_challenge,
    gen_digest,
)
from erlconnect.distribution.names import NodeName
from erlconnect.proxy.errors import (
    another_node,
    local_cookie_wrong,
    local_name_unusable,
    old_handshake_refused,
    passed_cookie_rejected,
    releases_too_far_apart,
    remote_cookie_rejected,
    status_refused,
)
from erlconnect.proxy.frame_stream import PeerClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from erlconnect.contract import Cookie
    from erlconnect.distribution.handshake_messages import Challenge, Complement, Status
    from erlconnect.proxy.frame_stream import FrameStream

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """The cookie of each side."""

    local: Cookie
    remote: Cookie


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeConfig:
    """What one handshake follows.

    ``neighbours`` gives, for the local and the remote node's name, the alias and the real name of
    each other node that the link is to know. ``cookies`` is ``None`` to pass challenge and digests
    through. ``name`` is the name part that the remote node must have, ``where`` names it in
    messages.
    """

    alias_for: Callable[[str], str]
    caller_name_for: Callable[[str], str]
    neighbours: Callable[[str, str], Sequence[tuple[str, str]]]
    cookies: Cookies | None
    visible: bool
    name: str
    where: str

    def flags(self, flags: int) -> int:
        """Return the flags that the other side gets to see."""
        return flags if self.visible else hidden(flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeResult:
    """What a handshake ended with: the local node's name, its caller name, alias and node.

    The flags are what each of the two said. ``neighbours`` are other nodes, each by its alias and
    its real name.
    """

    local_node: str
    caller_name: str
    alias: str
    node: str
    local_flags: int
    remote_flags: int
    neighbours: Sequence[tuple[str, str]]


class HandshakeRelay:
    """The local node's handshake with us and ours with the remote node, in lockstep."""

    def __init__(self, local: FrameStream) -> None:
        self._local = local
        self._acceptor = Acceptor()
        self._initiator = Initiator()
        self.name = SendName(name="", flags=0)

    async def recv_name(self) -> None:
        """Read the local node's ``send_name``; before it came there is no reason to dial.

        A name that no node can have is refused here: the remote node would log an error for it.
        """
        self.name = await self._local.recv("send_name", self._acceptor.recv_name)
        # A node without a name sends its host alone and gets its name with the status ``named:``.
        dynamic = self.name.flags & DistributionFlag.NAME_ME
        try:
            NodeName.parse(f"dynamic@{self.name.name}" if dynamic else self.name.name)
        except ValueError as error:
            raise local_name_unusable(str(error)) from error

    async def introduce(
        self, remote: FrameStream, introduction: HandshakeConfig
    ) -> HandshakeResult:
        """Bring both handshakes to their end.

        Raises ``RefusedError`` or a subclass, or ``PeerError``; both sockets stay the caller's.
        """
        dynamic = bool(self.name.flags & DistributionFlag.NAME_ME)
        caller_name = self.name.name if dynamic else introduction.caller_name_for(self.name.name)
        flags = introduction.flags(self.name.flags)
        shown = replace(self.name, name=caller_name, flags=flags)
        await remote.send("send_name", self._initiator.send_name(shown))
        status = await self._relay_status(remote, caller_name, introduction.where)
        challenge = await remote.recv("challenge", self._initiator.recv_challenge)
        # The address may belong to another node by now, whose cookie could be another one.
        if challenge.name.partition("@")[0] != introduction.name:
            raise another_node(introduction.where, challenge.name)
        alias = introduction.alias_for(self.name.name)
        _log_flags(self.name, challenge)
        flags = introduction.flags(challenge.flags)
        posed = replace(challenge, name=alias, flags=flags)
        if introduction.cookies:
            await self._authenticate(remote, posed, introduction.cookies, introduction.where)
        else:
            await self._pass_through(remote, posed, introduction.where)
        named = status.kind is StatusKind.NAMED
        local_node = status.name if named else self.name.name
        return HandshakeResult(
            local_node=local_node,
            caller_name=status.name if named else caller_name,
            alias=alias,
            node=challenge.name,
            neighbours=introduction.neighbours(local_node, challenge.name),
            local_flags=self.name.flags,
            remote_flags=challenge.flags,
        )

    async def _relay_status(self, remote: FrameStream, caller_name: str, where: str) -> Status:
        try:
            status = await remote.recv("status", self._initiator.recv_status)
        except PeerClosedError as error:
            # OTP 25 and later close the connection at a 'n' hello without HANDSHAKE_23.
            if self.name.old:
                raise old_handshake_refused(where, self.name.name) from error
            raise
        await self._local.send("status", self._acceptor.send_status(status))
        refused = status.kind in (StatusKind.NOK, StatusKind.NOT_ALLOWED)
        # ``alive``: the remote node still has a link of this name, and asks whether that one is
        # over.
        if status.kind is StatusKind.ALIVE:
            go_on = await self._local.recv("status", self._acceptor.recv_status)
            await remote.send("status", self._initiator.send_status(go_on=go_on))
            refused = not go_on
        if refused:
            raise status_refused(status.kind, caller_name, where)
        return status

    async def _authenticate(
        self, remote: FrameStream, challenge: Challenge, cookies: Cookies, where: str
    ) -> None:
        """Check the local node against an own challenge; only then answer the remote one's."""
        posed = replace(challenge, challenge=gen_challenge())
        complement, reply = await self._pose(posed, where)
        expected = gen_digest(posed.challenge, cookies.local.reveal())
        if not digests_equal(reply.digest, expected):
            raise local_cookie_wrong(self.name.name, cookies.local.origin)
        await authenticate(
            remote,
            self._initiator,
            challenge,
            cookie=cookies.remote,
            where=where,
            complement=complement,
        )
        await self._accept(gen_digest(reply.challenge, cookies.local.reveal()))

    async def _pass_through(self, remote: FrameStream, challenge: Challenge, where: str) -> None:
        """Let the two nodes check each other: both know the cookie, we do not."""
        complement, reply = await self._pose(challenge, where)
        try:
            ack = await answer_challenge(remote, self._initiator, reply, complement)
        except PeerClosedError as error:
            raise passed_cookie_rejected(where) from error
        await self._accept(ack.digest)

    async def _pose(
        self, challenge: Challenge, where: str
    ) -> tuple[Complement | None, ChallengeReply]:
        await self._local.send("challenge", self._acceptor.send_challenge(challenge))
        try:
            return await self._recv_reply()
        except PeerClosedError as error:
            # A local node that misses a mandatory flag closes without a reason.
            if missing := missing_flags(self.name.flags, challenge.flags):
                raise releases_too_far_apart(where, self.name.name, missing) from error
            raise

    async def _recv_reply(self) -> tuple[Complement | None, ChallengeReply]:
        complement = None
        if self._acceptor.complement_due:
            complement = await self._local.recv("complement", self._acceptor.recv_complement)
        return complement, await self._local.recv(
            "challenge_reply", self._acceptor.recv_challenge_reply
        )

    async def _accept(self, digest: bytes) -> None:
        ack = self._acceptor.send_challenge_ack(ChallengeAck(digest=digest))
        await self._local.send("challenge_ack", ack)


async def authenticate(
    remote: FrameStream,
    initiator: Initiator,
    challenge: Challenge,
    *,
    cookie: Cookie,
    where: str,
    complement: Complement | None = None,
) -> None:
    """Prove to the remote node that we know its cookie, and check that it knows it, too.

    Raises ``RemoteCookieError`` where either side does not know the other's cookie.
    """
    digest = gen_digest(challenge.challenge, cookie.reveal())
    answer = ChallengeReply(challenge=gen_challenge(), digest=digest)
    try:
        ack = await answer_challenge(remote, initiator, answer, complement)
    except PeerClosedError as error:
        seen = "it closed the connection after challenge_reply"
        raise remote_cookie_rejected(where, cookie.origin, seen) from error
    if not digests_equal(ack.digest, gen_digest(answer.challenge, cookie.reveal())):
        seen = "its challenge_ack was made with another cookie"
        raise remote_cookie_rejected(where, cookie.origin, seen)


async def answer_challenge(
    remote: FrameStream,
    initiator: Initiator,
    answer: ChallengeReply,
    complement: Complement | None = None,
) -> ChallengeAck:
    """Send ``answer``, after a complement where one is due, and return the ack unchecked."""
    if complement:
        await remote.send("complement", initiator.send_complement(complement))
    await remote.send("challenge_reply", initiator.send_challenge_reply(answer))
    return await remote.recv("challenge_ack", initiator.recv_challenge_ack)


def _log_flags(name: SendName, challenge: Challenge) -> None:
    """Log the flags of both nodes: a missing one explains many refusals."""
    for node, flags in ((name.name, name.flags), (challenge.name, challenge.flags)):
        _log.debug("%s has the flags %#x: %s", node, flags, ", ".join(flag_names(flags)))
