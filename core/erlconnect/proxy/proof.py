"""Proving to a remote node that we know its cookie, and that it knows it too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.distribution.challenge_messages import ChallengeAck, ChallengeReply
from erlconnect.distribution.digest import digests_equal, gen_challenge, gen_digest
from erlconnect.proxy.frame_stream import PeerClosedError
from erlconnect.proxy.refusals import remote_cookie_rejected

if TYPE_CHECKING:
    from erlconnect.api import Cookie
    from erlconnect.distribution.challenge_messages import Challenge, Complement
    from erlconnect.distribution.handshake import Initiator
    from erlconnect.proxy.frame_stream import FrameStream


async def prove_cookie(
    remote: FrameStream,
    initiator: Initiator,
    challenge: Challenge,
    *,
    cookie: Cookie,
    where: str,
    complement: Complement | None = None,
) -> None:
    """Answer ``challenge``, pose an own one and check the answer.

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
    """Send ``answer``, after a complement where one is due, and give what comes back unchecked."""
    if complement:
        await remote.send("complement", initiator.send_complement(complement))
    await remote.send("challenge_reply", initiator.send_challenge_reply(answer))
    return await remote.recv("challenge_ack", initiator.recv_challenge_ack)
