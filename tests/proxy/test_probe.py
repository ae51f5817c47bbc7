"""The knock: send_name, status, challenge, and away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from proxy.peers import REAL, Peer, challenge, connected, status

from erlconnect.distribution.flags import DistributionFlag
from erlconnect.distribution.handshake_messages import Challenge, SendName, StatusKind
from erlconnect.errors import (
    ErlconnectError,
    NameInUseError,
    NotAllowedError,
    NotDistributionError,
    TimedOutError,
)
from erlconnect.proxy.probe import ProbeResult, probe

Script = Callable[[Peer], Awaitable[None]]


async def knocked(script: Script, deadline: float = 5.0) -> ProbeResult:
    ours, remote = connected()
    with ours:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_play(script, remote))
                return await probe(
                    ours, caller_name="k@erlconnect.invalid", where="10.3.2.1:1", deadline=deadline
                )
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            remote.close()


async def _play(script: Script, remote: Peer) -> None:
    name = SendName.parse(await remote.hear())
    assert name.name == "k@erlconnect.invalid"
    assert not name.flags & DistributionFlag.PUBLISHED
    await script(remote)


async def test_it_learns_the_name_and_needs_no_cookie() -> None:
    async def node(remote: Peer) -> None:
        await remote.say(status(StatusKind.OK))
        await remote.say(challenge())

    found = await knocked(node)
    assert str(found.node) == REAL
    assert found.creation == 9


async def test_alive_is_answered_by_false_so_that_the_living_connection_stays() -> None:
    async def node(remote: Peer) -> None:
        await remote.say(status(StatusKind.ALIVE))
        assert await remote.hear() == b"sfalse"

    assert (await knocked(node)).node is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(StatusKind.NOK, NameInUseError), (StatusKind.NOT_ALLOWED, NotAllowedError)],
)
async def test_a_refusal_is_an_error(kind: StatusKind, expected: type[ErlconnectError]) -> None:
    with pytest.raises(expected):
        await knocked(lambda remote: remote.say(status(kind)))


async def test_a_node_name_that_is_none_is_refused() -> None:
    async def node(remote: Peer) -> None:
        await remote.say(status(StatusKind.OK))
        await remote.say(Challenge(name="nonsense", flags=1, challenge=1).encode())

    with pytest.raises(NotDistributionError, match="nonsense"):
        await knocked(node)


async def test_tls_is_named() -> None:
    with pytest.raises(NotDistributionError, match="TLS"):
        await knocked(lambda remote: remote.send(b"\x15\x03\x01\x00\x02\x02\x46"))


async def test_silence_ends_at_the_deadline() -> None:
    async def silent(_: Peer) -> None:
        return

    with pytest.raises(TimedOutError, match=r"its status did not come within 0.2 s"):
        await knocked(silent, deadline=0.2)
