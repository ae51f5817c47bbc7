"""A transport that was replaced stays open as long as a stream needs it, and dials have pauses."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field, replace

from erlconnect.api import Cookie, NodeName, Target
from erlconnect.distribution.flags import DistributionFlag
from erlconnect.proxy.handshake import Cookies
from erlconnect.proxy.probe import ProbeResult
from erlconnect.session.alias import Backoff, TargetTracker, TransportLeases
from erlconnect.session.connector import ConnectedTarget

TARGET = Target(node=NodeName.parse("shop@10.0.0.1"), address="10.0.0.1")


@dataclass(eq=False)
class Pairs:
    """A dialer whose streams lead nowhere; it knows whether it was closed."""

    closed: bool = False
    others: list[socket.socket] = field(default_factory=list)

    async def dial(self, port: int) -> socket.socket:
        assert port == 4444
        ours, theirs = socket.socketpair()
        self.others.append(theirs)
        return ours

    def close(self) -> None:
        assert not self.closed
        self.closed = True
        for other in self.others:
            other.close()


def connected_by(pairs: Pairs) -> ConnectedTarget:
    return ConnectedTarget(
        discovered=TARGET,
        target=TARGET,
        transport="pairs",
        dialer=pairs,
        port=4444,
        length_size=2,
        probe_result=ProbeResult(node=TARGET.node, creation=1, flags=DistributionFlag.HANDSHAKE_23),
        close=pairs.close,
    )


async def test_a_transport_without_streams_is_closed_when_it_is_released() -> None:
    pairs, leases = Pairs(), TransportLeases()
    (await leases.dial(connected_by(pairs))).close()
    leases.release(connected_by(pairs))
    assert pairs.closed


async def test_its_last_stream_closes_it() -> None:
    pairs, leases = Pairs(), TransportLeases()
    connected = connected_by(pairs)
    one, other = await leases.dial(connected), await leases.dial(connected)
    # The node calls itself by another name now.
    leases.release(replace(connected, target=replace(TARGET, node=NodeName.parse("a@b"))))
    one.close()
    leases.close_unused()
    assert not pairs.closed
    other.close()
    leases.close_unused()
    assert pairs.closed
    leases.close_unused()


async def test_a_transport_that_is_in_use_is_not_closed_for_want_of_streams() -> None:
    pairs, leases = Pairs(), TransportLeases()
    (await leases.dial(connected_by(pairs))).close()
    leases.close_unused()
    assert not pairs.closed
    pairs.close()


async def test_each_stream_knows_its_target() -> None:
    leases, first, second = TransportLeases(), connected_by(Pairs()), connected_by(Pairs())
    with await leases.dial(first) as one, await leases.dial(second) as other:
        assert leases.of(one) is first
        assert leases.of(other) is second
    with socket.socket() as unknown:
        assert leases.of(unknown) is None
    leases.release(first)
    leases.release(second)


async def test_an_alias_keeps_its_cookies_when_its_target_is_replaced() -> None:
    moved: list[ConnectedTarget] = []
    lost: list[str] = []

    async def find_again() -> ConnectedTarget:
        raise AssertionError("nothing is dialled here")

    cookies = Cookies(local=Cookie("a", origin="here"), remote=Cookie("b", origin="there"))
    first = replace(connected_by(Pairs()), cookies=cookies, cookie_source="env")
    async with asyncio.TaskGroup() as group:
        tracker = TargetTracker(
            first, find_again=find_again, group=group, on_moved=moved.append, on_lost=lost.append
        )
        second = replace(connected_by(Pairs()), port=4445)
        tracker.set_current(second)
    assert tracker.current.port == 4445
    assert tracker.current.cookies is cookies
    assert tracker.current.cookie_source == "env"
    assert (moved, lost) == ([first], [])


async def waited(backoff: Backoff) -> float:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await backoff.wait()
    return loop.time() - begin


async def test_nothing_is_waited_for_before_the_first_failure() -> None:
    assert await waited(Backoff()) < 0.05


async def test_the_pause_doubles_with_each_failure_behind_it() -> None:
    backoff = Backoff()
    for pause in (0.1, 0.2, 0.4):
        backoff.failed()
        assert await waited(backoff) > 0.9 * pause


async def test_what_fails_within_a_pause_does_not_lengthen_it() -> None:
    """Ten nodes that dial at once fail at once: that is one failure."""
    backoff = Backoff()
    for _ in range(10):
        backoff.failed()
    await backoff.wait()
    backoff.failed()
    assert 0.15 < await waited(backoff) < 1


async def test_a_success_ends_the_pause_and_makes_the_next_one_short() -> None:
    backoff = Backoff()
    for _ in range(3):
        backoff.failed()
        await backoff.wait()
    backoff.failed()
    backoff.succeeded()
    assert await waited(backoff) < 0.05
    backoff.failed()
    assert 0.05 < await waited(backoff) < 0.5
