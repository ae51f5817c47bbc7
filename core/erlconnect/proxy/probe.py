"""The probe: asking a node for its name by the first half of a handshake.

send_name, status, challenge, and then the connection is closed. It needs no cookie, and the remote
node logs nothing: a node whose peer goes away after the challenge gives up silently.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from erlconnect.distribution.flags import PROBE_FLAGS
from erlconnect.distribution.handshake import Initiator
from erlconnect.distribution.handshake_messages import SendName, StatusKind
from erlconnect.distribution.names import NodeName
from erlconnect.errors import NotDistributionError
from erlconnect.proxy.errors import no_answer, peer_error, status_refused
from erlconnect.proxy.frame_stream import LENGTH_SIZE, FrameStream, PeerError

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from erlconnect.distribution.handshake_messages import Challenge
    from erlconnect.proxy.timing import Timer


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The name, creation and flags of a node, from its challenge.

    After the status ``alive`` no challenge comes: ``node`` is ``None``, the numbers are 0.
    """

    node: NodeName | None
    creation: int
    flags: int


async def probe(
    sock: socket.socket,
    *,
    caller_name: str,
    where: str,
    deadline: float,
    transport_words: Callable[[], Awaitable[str]] | None = None,
    length_size: int = LENGTH_SIZE,
    stopwatch: Timer | None = None,
) -> ProbeResult:
    """Return what a node's challenge holds, over a connected socket that the caller has to close.

    Raises ``NotDistributionError``, ``NotAllowedError``, ``NameInUseError`` or, after
    ``deadline`` seconds, ``TimedOutError``. ``where`` names the node in messages.
    ``transport_words`` is called when the node's side fails; where it returns words, they are the
    message of an ``UnreachableError``. ``length_size`` is how many bytes a frame's length has.
    """
    stream = FrameStream(sock, "remote", stopwatch, length_size=length_size)
    try:
        async with asyncio.timeout(deadline):
            challenge = await challenge_of(stream, Initiator(), caller_name, where)
    except PeerError as error:
        words = await transport_words() if transport_words else ""
        raise peer_error(error, where, words) from error
    except TimeoutError as error:
        raise no_answer(where, stream.waiting_for, deadline) from error
    if challenge is None:
        return ProbeResult(node=None, creation=0, flags=0)
    return ProbeResult(
        node=_parse_name(challenge.name, where),
        creation=challenge.creation,
        flags=challenge.flags,
    )


async def challenge_of(
    stream: FrameStream,
    initiator: Initiator,
    caller_name: str,
    where: str,
    *,
    flags: int = PROBE_FLAGS,
) -> Challenge | None:
    """Return the challenge; ``None`` after the status ``alive``, which is answered by ``false``.

    Raises ``PeerError``, ``NotAllowedError`` or ``NameInUseError``.
    """
    # Creation 1 is that of the pids in `distribution.rpc`: answers to them need the same one.
    name = SendName(name=caller_name, flags=flags, creation=1)
    await stream.send("send_name", initiator.send_name(name))
    status = await stream.recv("status", initiator.recv_status)
    if status.kind is StatusKind.ALIVE:
        # Going on would end the connection that lives under this name.
        await stream.send("status", initiator.send_status(go_on=False))
        return None
    if status.kind in (StatusKind.NOK, StatusKind.NOT_ALLOWED):
        raise status_refused(status.kind, caller_name, where)
    return await stream.recv("challenge", initiator.recv_challenge)


def _parse_name(text: str, where: str) -> NodeName:
    try:
        return NodeName.parse(text)
    except ValueError as error:
        raise NotDistributionError(
            f"{where} answered the knock with an unusable node name: {error}",
            remedy="Check with which name the remote node was started.",
        ) from error
