"""Local nodes that break off by themselves, and what is made of it."""

from __future__ import annotations

import asyncio

import pytest
from proxy.peers import RemoteSide, challenge, connected, send_name, status

from erlconnect.distribution.handshake_messages import StatusKind
from erlconnect.errors import LocalNodeError, NotAllowedError
from erlconnect.proxy.link import Link

OTP_23 = 0x101DF7FBD


async def test_a_node_that_is_gone_already_is_not_shown_to_the_remote_one() -> None:
    """As after a sleep, in which local nodes dialled and gave up."""
    ours, local = connected()
    theirs, remote = connected()
    side = RemoteSide(theirs)
    await local.say(send_name())
    local.close()
    with pytest.raises(LocalNodeError, match=r"dev@127\.0\.0\.1 has given up waiting"):
        await Link(ours, side).run()
    assert side.dialled == 0
    side.close()
    remote.close()


async def test_a_node_that_misses_flags_is_told_of_as_such() -> None:
    ours, local = connected()
    theirs, remote = connected()
    running = asyncio.ensure_future(Link(ours, RemoteSide(theirs)).run())
    await local.say(send_name())
    await remote.hear()
    await remote.say(status(StatusKind.OK))
    await remote.say(challenge(flags=OTP_23))
    await local.hear()
    await local.hear()
    local.close()
    with pytest.raises(NotAllowedError, match=r"has no UNLINK_ID, V4_NC, which a newer Erlang"):
        await running
    remote.close()
