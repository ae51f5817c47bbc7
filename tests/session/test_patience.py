"""A target that failed is left alone for a while, longer each time."""

from __future__ import annotations

import asyncio

from erlconnect.session.patience import Patience


async def waited(patience: Patience) -> float:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await patience.wait()
    return loop.time() - begin


async def test_nothing_is_waited_for_before_the_first_failure() -> None:
    assert await waited(Patience()) < 0.05


async def test_the_pause_doubles_with_each_failure_behind_it() -> None:
    patience = Patience()
    for pause in (0.1, 0.2, 0.4):
        patience.failed()
        assert await waited(patience) > 0.9 * pause


async def test_what_fails_within_a_pause_does_not_lengthen_it() -> None:
    """Ten nodes that dial at once fail at once: that is one failure."""
    patience = Patience()
    for _ in range(10):
        patience.failed()
    await patience.wait()
    patience.failed()
    assert 0.15 < await waited(patience) < 1


async def test_a_success_ends_the_pause_and_makes_the_next_one_short() -> None:
    patience = Patience()
    for _ in range(3):
        patience.failed()
        await patience.wait()
    patience.failed()
    patience.succeeded()
    assert await waited(patience) < 0.05
    patience.failed()
    assert 0.05 < await waited(patience) < 0.5
