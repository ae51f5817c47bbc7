"""A connection of our own: the whole handshake, two questions, and a clean leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import pytest
from proxy.peers import REMOTE_COOKIE, Peer, ack, challenge, connected, status

from erlconnect.api import Cookie
from erlconnect.distribution.etf import Atom, Pid, Reference, decode, encode
from erlconnect.distribution.flags import DistributionFlag
from erlconnect.distribution.handshake_messages import (
    ChallengeReply,
    SendName,
    StatusKind,
    gen_digest,
)
from erlconnect.distribution.rpc import auth_request, call
from erlconnect.errors import (
    ErlconnectError,
    NameInUseError,
    NotDistributionError,
    RemoteCookieError,
    TimedOutError,
)
from erlconnect.proxy import node_client
from erlconnect.proxy.node_client import NodeClient
from erlconnect.proxy.timing import Timer

if TYPE_CHECKING:
    from erlconnect.distribution.etf import Term

Script = Callable[[Peer], Awaitable[None]]
Work = Callable[[NodeClient], Awaitable["Result"]]
Result = TypeVar("Result")
CALLER = "check@erlconnect.invalid"
NUMBER = 1234
US = Pid(node=CALLER, id=1, serial=0, creation=1)


async def nothing_known() -> str:
    return ""


async def shaken(connection: NodeClient) -> None:
    await connection.shake_hands(Cookie(REMOTE_COOKIE, origin="a secret"), nothing_known)


async def played(script: Script, work: Work[Result]) -> tuple[Result, Timer]:
    """What ``work`` gives while the node at the other end plays ``script``."""
    ours, remote = connected()
    stopwatch = Timer()
    connection = NodeClient(ours, caller_name=CALLER, where="10.3.2.1:1", stopwatch=stopwatch)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_play(script, remote))
            return await work(connection), stopwatch
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        remote.close()
        await connection.close()


async def _play(script: Script, remote: Peer) -> None:
    await script(remote)


async def lets_in(remote: Peer) -> None:
    """The node's side of a handshake that goes well."""
    name = SendName.parse(await remote.hear())
    assert (name.name, name.creation) == (CALLER, 1)
    flags = DistributionFlag(name.flags)
    # Hidden, and frames without a header are all that we read.
    assert not flags & (
        DistributionFlag.PUBLISHED
        | DistributionFlag.DIST_HDR_ATOM_CACHE
        | DistributionFlag.FRAGMENTS
    )
    await remote.say(status(StatusKind.OK))
    await remote.say(challenge(number=NUMBER))
    reply = ChallengeReply.parse(await remote.hear())
    assert reply.digest == gen_digest(NUMBER, REMOTE_COOKIE)
    await remote.say(ack(reply.challenge, REMOTE_COOKIE))


async def frame(remote: Peer) -> bytes:
    return await remote.exactly(int.from_bytes(await remote.exactly(4), "big"))


async def tell(remote: Peer, message: Term) -> None:
    body = b"p\x83" + encode((2, Atom(""), US)) + b"\x83" + encode(message)
    await remote.send(len(body).to_bytes(4, "big") + body)


async def test_a_tick_and_the_answer_behind_it() -> None:
    async def node(remote: Peer) -> None:
        await lets_in(remote)
        assert await frame(remote) == b""
        assert await frame(remote) == auth_request(CALLER)
        await remote.send(b"\0\0\0\0")
        await tell(remote, Atom("something-else"))
        await tell(remote, (Reference(node=CALLER, creation=1, words=(1, 2, 3)), Atom("yes")))

    async def work(connection: NodeClient) -> None:
        await shaken(connection)
        await connection.ping()

    _, stopwatch = await played(node, work)
    assert [phase.name for phase in stopwatch.phases] == [
        "send_name",
        "status",
        "challenge",
        "challenge_reply",
        "challenge_ack",
        "tick",
    ]


async def test_the_values_of_an_evaluation() -> None:
    async def node(remote: Peer) -> None:
        await lets_in(remote)
        control, _ = decode(await frame(remote), 2)
        assert control == (6, US, Atom(""), Atom("rex"))
        value: Term = (Atom("value"), (b"25",), [])
        await tell(remote, (Atom("rex"), value))

    async def work(connection: NodeClient) -> tuple[Term, ...]:
        await shaken(connection)
        return await connection.evaluate(call("erlang", "node"))

    assert (await played(node, work))[0] == (b"25",)


async def closes_after_reply(remote: Peer) -> None:
    await remote.hear()
    await remote.say(status(StatusKind.OK))
    await remote.say(challenge(number=NUMBER))
    await remote.hear()
    remote.close()


async def knows_another_cookie(remote: Peer) -> None:
    await remote.hear()
    await remote.say(status(StatusKind.OK))
    await remote.say(challenge(number=NUMBER))
    reply = ChallengeReply.parse(await remote.hear())
    await remote.say(ack(reply.challenge, "another"))


async def has_such_a_connection(remote: Peer) -> None:
    await remote.hear()
    await remote.say(status(StatusKind.ALIVE))
    assert await remote.hear() == b"sfalse"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (closes_after_reply, RemoteCookieError),
        (knows_another_cookie, RemoteCookieError),
        (has_such_a_connection, NameInUseError),
    ],
)
async def test_a_handshake_that_fails(script: Script, expected: type[ErlconnectError]) -> None:
    with pytest.raises(expected):
        await played(script, shaken)


async def test_a_connection_that_ends_before_the_answer() -> None:
    async def node(remote: Peer) -> None:
        await lets_in(remote)
        await frame(remote)
        remote.close()

    async def work(connection: NodeClient) -> None:
        await shaken(connection)
        await connection.ping()

    with pytest.raises(NotDistributionError, match="did not answer as net_kernel does"):
        await played(node, work)


async def test_a_frame_without_end_is_not_waited_for() -> None:
    async def node(remote: Peer) -> None:
        await lets_in(remote)
        await remote.send(b"\x7f\xff\xff\xff")

    async def work(connection: NodeClient) -> None:
        await shaken(connection)
        await connection.evaluate(call("erlang", "node"))

    with pytest.raises(NotDistributionError, match="a frame of 2147483647 bytes"):
        await played(node, work)


async def test_silence_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_client, "_ANSWER_SECONDS", 0.2)

    async def work(connection: NodeClient) -> None:
        await shaken(connection)
        await connection.ping()

    with pytest.raises(TimedOutError, match=r"net_kernel did not answer within 0\.2 s"):
        await played(lets_in, work)
