"""The two handshakes in lockstep, message by message, as PROTOCOL's figure has them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from proxy.peers import (
    CALLER,
    FLAGS,
    HIDDEN,
    LOCAL_COOKIE,
    REAL,
    REMOTE_COOKIE,
    Peer,
    RemoteSide,
    ack,
    challenge,
    connected,
    reply,
    send_name,
    status,
)

from erlconnect.distribution.flags import DistributionFlag
from erlconnect.distribution.handshake_messages import (
    Challenge,
    ChallengeAck,
    ChallengeReply,
    Complement,
    SendName,
    Status,
    StatusKind,
    gen_digest,
)
from erlconnect.errors import (
    AnotherNodeError,
    ErlconnectError,
    LocalCookieError,
    LocalNodeError,
    NameInUseError,
    NotAllowedError,
    NotDistributionError,
    RemoteCookieError,
    TimedOutError,
    UnreachableError,
)
from erlconnect.proxy import link as link_module
from erlconnect.proxy.link import Link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Handshake:
    """A link under way between two scripted nodes."""

    def __init__(self, *, passthrough: bool = False, visible: bool = False) -> None:
        ours, self.local = connected()
        theirs, self.remote = connected()
        self.side = RemoteSide(theirs, passthrough=passthrough, visible=visible)
        self.link = Link(ours, self.side)

    async def outcome(self, running: asyncio.Future[None]) -> ErlconnectError:
        with pytest.raises(ErlconnectError) as raised:
            await running
        return raised.value


@asynccontextmanager
async def under_way(
    *, passthrough: bool = False, visible: bool = False
) -> AsyncIterator[tuple[Peer, Peer, Handshake, asyncio.Future[None]]]:
    handshake = Handshake(passthrough=passthrough, visible=visible)
    running = asyncio.ensure_future(handshake.link.run())
    try:
        yield handshake.local, handshake.remote, handshake, running
    finally:
        handshake.local.close()
        handshake.remote.close()
        handshake.side.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def up_to_challenge(local: Peer, remote: Peer) -> Challenge:
    """Play both nodes until the local one has got its challenge."""
    await local.say(send_name())
    await remote.hear()
    await remote.say(status(StatusKind.OK))
    await local.hear()
    await remote.say(challenge())
    return Challenge.parse(await local.hear())


async def test_each_node_gets_the_name_that_it_expects() -> None:
    async with under_way() as (local, remote, handshake, _):
        await local.say(send_name(tail=b"future"))
        named = SendName.parse(await remote.hear())
        assert (named.name, named.flags, named.creation) == (CALLER, HIDDEN, 7)
        assert named.tail == b"future"
        await remote.say(status(StatusKind.OK))
        assert Status.parse(await local.hear()).kind is StatusKind.OK
        await remote.say(challenge(tail=b"more"))
        posed = Challenge.parse(await local.hear())
        assert (posed.name, posed.flags, posed.creation) == ("app@127.0.0.1", HIDDEN, 9)
        assert posed.tail == b"more"
        assert posed.challenge != 1234
        await local.say(reply(posed.challenge, LOCAL_COOKIE, own=55))
        answer = ChallengeReply.parse(await remote.hear())
        assert answer.digest == gen_digest(1234, REMOTE_COOKIE)
        assert answer.challenge != 55
        await remote.say(ack(answer.challenge, REMOTE_COOKIE))
        accepted = ChallengeAck.parse(await local.hear())
        assert accepted.digest == gen_digest(55, LOCAL_COOKIE)
    assert [event.caller_name for event in handshake.side.ups] == [CALLER]
    assert handshake.side.ups[0].node == REAL


@pytest.mark.parametrize(
    ("local_node", "alias"),
    [
        ("dev@127.0.0.1", "app@127.0.0.1"),
        ("dev@laptop", "app@localhost"),
        ("dev@::1", "app@::1"),
        ("dev@host.example", "app@127.0.0.1"),
    ],
)
async def test_the_alias_has_the_form_of_the_local_node(local_node: str, alias: str) -> None:
    async with under_way() as (local, remote, _, _running):
        await local.say(send_name(local_node))
        await remote.hear()
        await remote.say(status(StatusKind.OK))
        await local.hear()
        await remote.say(challenge())
        assert Challenge.parse(await local.hear()).name == alias


async def test_visible_keeps_published_on_both_sides() -> None:
    async with under_way(visible=True) as (local, remote, _, _running):
        await local.say(send_name())
        assert SendName.parse(await remote.hear()).flags == FLAGS
        await remote.say(status(StatusKind.OK))
        await local.hear()
        await remote.say(challenge())
        assert Challenge.parse(await local.hear()).flags == FLAGS


async def test_a_wrong_local_cookie_never_reaches_the_remote_node() -> None:
    async with under_way() as (local, remote, handshake, running):
        posed = await up_to_challenge(local, remote)
        await local.say(reply(posed.challenge, "wrong"))
        error = await handshake.outcome(running)
        assert isinstance(error, LocalCookieError)
        assert await remote.hear() == b""
        assert await local.hear() == b""


async def test_a_remote_node_that_closes_after_the_reply_rejected_the_cookie() -> None:
    async with under_way() as (local, remote, handshake, running):
        posed = await up_to_challenge(local, remote)
        await local.say(reply(posed.challenge, LOCAL_COOKIE))
        await remote.hear()
        remote.close()
        error = await handshake.outcome(running)
        assert isinstance(error, RemoteCookieError)
        assert "a remote secret" in error.message
        assert await local.hear() == b""


async def test_an_ack_made_with_another_cookie_is_refused() -> None:
    async with under_way() as (local, remote, handshake, running):
        posed = await up_to_challenge(local, remote)
        await local.say(reply(posed.challenge, LOCAL_COOKIE))
        answer = ChallengeReply.parse(await remote.hear())
        await remote.say(ack(answer.challenge, "another"))
        assert isinstance(await handshake.outcome(running), RemoteCookieError)
        assert await local.hear() == b""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(StatusKind.NOK, NameInUseError), (StatusKind.NOT_ALLOWED, NotAllowedError)],
)
async def test_a_refusal_is_relayed_and_ends_the_link(
    kind: StatusKind, expected: type[ErlconnectError]
) -> None:
    async with under_way() as (local, remote, handshake, running):
        await local.say(send_name())
        await remote.hear()
        await remote.say(status(kind))
        assert Status.parse(await local.hear()).kind is kind
        assert isinstance(await handshake.outcome(running), expected)
        assert await local.hear() == b""
        assert await remote.hear() == b""


async def test_ok_simultaneous_goes_on() -> None:
    async with under_way() as (local, remote, _, _running):
        await local.say(send_name())
        await remote.hear()
        await remote.say(status(StatusKind.OK_SIMULTANEOUS))
        assert await local.hear() == b"sok_simultaneous"
        await remote.say(challenge())
        assert Challenge.parse(await local.hear()).name == "app@127.0.0.1"


async def test_alive_is_answered_by_the_local_node_true_goes_on() -> None:
    async with under_way() as (local, remote, _, _running):
        await local.say(send_name())
        await remote.hear()
        await remote.say(status(StatusKind.ALIVE))
        assert await local.hear() == b"salive"
        await local.say(b"strue")
        assert await remote.hear() == b"strue"
        await remote.say(challenge())
        assert Challenge.parse(await local.hear()).name == "app@127.0.0.1"


async def test_alive_is_answered_by_the_local_node_false_ends() -> None:
    async with under_way() as (local, remote, handshake, running):
        await local.say(send_name())
        await remote.hear()
        await remote.say(status(StatusKind.ALIVE))
        await local.hear()
        await local.say(b"sfalse")
        assert await remote.hear() == b"sfalse"
        assert isinstance(await handshake.outcome(running), NameInUseError)


async def test_a_name_that_the_remote_node_assigns_stays() -> None:
    flags = FLAGS & ~1 | DistributionFlag.NAME_ME
    async with under_way() as (local, remote, handshake, _):
        await local.say(send_name("127.0.0.1", flags=flags))
        assert SendName.parse(await remote.hear()).name == "127.0.0.1"
        assigned = Status(kind=StatusKind.NAMED, name="5LV3X3HR50GU@127.0.0.1", creation=3)
        await remote.say(assigned.encode())
        assert Status.parse(await local.hear()) == assigned
        await remote.say(challenge())
        posed = Challenge.parse(await local.hear())
        assert posed.name == "app@127.0.0.1"
        await local.say(reply(posed.challenge, LOCAL_COOKIE))
        answer = ChallengeReply.parse(await remote.hear())
        await remote.say(ack(answer.challenge, REMOTE_COOKIE))
        await local.hear()
    (event,) = handshake.side.ups
    assert event.local_node == event.caller_name == "5LV3X3HR50GU@127.0.0.1"


@pytest.mark.parametrize("new_challenge", [False, True])
async def test_the_old_handshake_with_its_complement(new_challenge: bool) -> None:
    async with under_way() as (local, remote, _, _running):
        await local.say(SendName(name="dev@127.0.0.1", flags=0x1DF7FBD, old=True).encode())
        named = SendName.parse(await remote.hear())
        assert (named.old, named.name, named.flags) == (True, CALLER, 0x1DF7FBC)
        await remote.say(status(StatusKind.OK))
        await local.hear()
        await remote.say(
            Challenge(name=REAL, flags=FLAGS, challenge=1, old=not new_challenge).encode()
        )
        posed = Challenge.parse(await local.hear())
        assert posed.old is not new_challenge
        assert not posed.flags & DistributionFlag.PUBLISHED
        if new_challenge:
            await local.say(Complement(flags_high=1, creation=8).encode())
        await local.say(reply(posed.challenge, LOCAL_COOKIE))
        if new_challenge:
            assert await remote.hear() == Complement(flags_high=1, creation=8).encode()
        assert ChallengeReply.parse(await remote.hear()).digest == gen_digest(1, REMOTE_COOKIE)


async def test_passthrough_relays_challenge_and_digests() -> None:
    async with under_way(passthrough=True) as (local, remote, handshake, _):
        posed = await up_to_challenge(local, remote)
        assert posed.challenge == 1234
        body = reply(1234, "shared", own=55)
        await local.say(body)
        assert await remote.hear() == body
        await remote.say(ack(55, "shared"))
        assert await local.hear() == ack(55, "shared")
    assert len(handshake.side.ups) == 1


async def test_passthrough_close_after_the_reply_is_a_rejected_cookie() -> None:
    async with under_way(passthrough=True) as (local, remote, handshake, running):
        await up_to_challenge(local, remote)
        await local.say(reply(1234, "wrong"))
        await remote.hear()
        remote.close()
        assert isinstance(await handshake.outcome(running), RemoteCookieError)


async def test_a_tls_alert_is_named() -> None:
    async with under_way() as (local, remote, handshake, running):
        await local.say(send_name())
        await remote.hear()
        await remote.send(b"\x15\x03\x03\x00\x02\x02\x28")
        error = await handshake.outcome(running)
        assert isinstance(error, NotDistributionError)
        assert "TLS" in error.message


@pytest.mark.parametrize("nonsense", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\3foo", b"\0\0"])
async def test_a_remote_side_that_is_no_node(nonsense: bytes) -> None:
    async with under_way() as (local, remote, handshake, running):
        await local.say(send_name())
        await remote.hear()
        await remote.send(nonsense)
        error = await handshake.outcome(running)
        assert isinstance(error, NotDistributionError)
        assert REAL in error.message


async def test_a_local_side_that_is_no_node_never_makes_us_dial() -> None:
    async with under_way() as (local, _, handshake, running):
        await local.send(b"GET / HTTP/1.1\r\n\r\n")
        error = await handshake.outcome(running)
        assert isinstance(error, LocalNodeError)
        assert handshake.side.dialled == 0


async def test_a_local_side_that_says_nothing_is_called_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "HANDSHAKE_SECONDS", 0.3)
    async with under_way() as (local, _, handshake, running):
        error = await handshake.outcome(running)
        assert isinstance(error, LocalNodeError)
        assert "did not send its send_name" in error.message
        assert await local.hear() == b""


@pytest.mark.parametrize("phase", ["status", "challenge", "challenge_ack"])
async def test_a_remote_side_that_says_nothing_is_timed_out(
    phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "HANDSHAKE_SECONDS", 0.3)
    async with under_way() as (local, remote, handshake, running):
        await local.say(send_name())
        await remote.hear()
        if phase in ("challenge", "challenge_ack"):
            await remote.say(status(StatusKind.OK))
            await local.hear()
        if phase == "challenge_ack":
            await remote.say(challenge())
            posed = Challenge.parse(await local.hear())
            await local.say(reply(posed.challenge, LOCAL_COOKIE))
            await remote.hear()
        error = await handshake.outcome(running)
        assert isinstance(error, TimedOutError)
        assert f"{REAL} at 10.3.2.1:4370 accepted the connection" in error.message
        assert f"its {phase} did not come" in error.message
        assert await local.hear() == b""


async def test_a_node_of_another_name_gets_no_digest() -> None:
    async with under_way() as (local, remote, handshake, running):
        await local.say(send_name())
        await remote.hear()
        await remote.say(status(StatusKind.OK))
        await local.hear()
        await remote.say(Challenge(name="billing@10.3.2.1", flags=FLAGS, challenge=1).encode())
        error = await handshake.outcome(running)
        assert isinstance(error, AnotherNodeError)
        assert "billing@10.3.2.1" in error.message
        assert await remote.hear() == b""


async def test_what_the_transport_knows_of_the_end_is_the_message() -> None:
    async with under_way() as (local, remote, handshake, running):
        handshake.side.transport_words = "ssh ended with exit code 255: permission denied"
        await local.say(send_name())
        await remote.hear()
        remote.close()
        error = await handshake.outcome(running)
        assert isinstance(error, UnreachableError)
        assert "permission denied" in error.message
