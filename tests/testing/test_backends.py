"""The kit's questions to backends: each fault gets its own sentence."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from erlconnect.api import NodeName, NoNodeFoundError, Query, Ref, RefusedError, Target
from erlconnect.testing import StandaloneSession, check_backend, kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from erlconnect.api import SessionApi

HERE = Query(service="shop")
NOWHERE = Query(service="nobody")


def target(**changes: Any) -> Target:
    node = NodeName(name="shop", host="10.0.0.1")
    return Target(**{"node": node, "address": "10.0.0.1", "facts": {"pod": "shop-1"}, **changes})


class Lantern:
    """A backend that keeps the contract, step by step, so that each fault is one step."""

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        await self.work(session)
        return self.nothing() if query == NOWHERE else self.found()

    async def work(self, session: SessionApi) -> None:
        assert callable(session.warn)
        await asyncio.sleep(0.001)

    def found(self) -> Sequence[Target]:
        return [target(cookies=(Ref(name="env"),), dist_port=4000), target(epmd_port=5000)]

    def nothing(self) -> Sequence[Target]:
        raise NoNodeFoundError("Nobody is there", remedy="Look elsewhere.")


class Watching(Lantern):
    """A backend with both optional abilities."""

    async def watch(self, query: Query, session: SessionApi) -> AsyncIterator[Sequence[Target]]:
        while True:
            yield self.seen(query)
            await self.work(session)

    def seen(self, query: Query) -> Sequence[Target]:
        assert query == HERE
        return self.found()

    async def services(self, session: SessionApi) -> Sequence[str]:
        await self.work(session)
        return self.listed()

    def listed(self) -> Sequence[str]:
        return ["shop"]


class Finding(Lantern):
    def __init__(self, *found: Any) -> None:
        self._found = found

    def found(self) -> Sequence[Target]:
        return self._found


class Shuffling(Lantern):
    def __init__(self) -> None:
        self._turn = 0

    def found(self) -> Sequence[Target]:
        self._turn += 1
        return [target(epmd_port=4000 + self._turn % 2), target(epmd_port=4001 - self._turn % 2)]


class EmptyHanded(Lantern):
    def nothing(self) -> Sequence[Target]:
        return []


class Curt(Lantern):
    def nothing(self) -> Sequence[Target]:
        raise NoNodeFoundError("Nobody is there", remedy="")


class Unsorted(Lantern):
    def nothing(self) -> Sequence[Target]:
        raise RefusedError("Nobody is there", remedy="Look elsewhere.")


class Hasty(Lantern):
    def discover(self, query: Query, session: SessionApi) -> Any:
        return [query, session]


class Foreign(Lantern):
    """Its deadline is Python's error and not one of the contract."""

    async def work(self, session: SessionApi) -> None:
        await super().work(session)
        raise TimeoutError


class Tiring(Lantern):
    """It works twice and then no more."""

    def __init__(self) -> None:
        self._left = 2

    async def work(self, session: SessionApi) -> None:
        self._left -= 1
        assert self._left >= 0, "tired of being asked"
        await super().work(session)


class LeavesTask(Lantern):
    async def work(self, session: SessionApi) -> None:
        self.task = asyncio.get_running_loop().create_task(asyncio.sleep(60))
        await super().work(session)
        self.task.cancel()


class LeavesDescriptor(Lantern):
    async def work(self, session: SessionApi) -> None:
        self.descriptor = os.dup(0)
        await super().work(session)
        os.close(self.descriptor)


class EmptyWatch(Watching):
    def seen(self, query: Query) -> Sequence[Target]:
        return super().seen(query)[:0]


class BlankServices(Watching):
    def listed(self) -> Sequence[str]:
        return [""]


class Tunnelling(Lantern):
    async def work(self, session: SessionApi) -> None:
        async with session.dialer(Ref(name="tunnel"), target()):
            await super().work(session)


@pytest.mark.parametrize("backend", [Lantern(), Watching()])
async def test_a_good_backend_passes(backend: Lantern) -> None:
    await check_backend(backend, HERE, missing=NOWHERE)


@pytest.mark.parametrize(
    ("backend", "sentence"),
    [
        (Finding(), "discover() must raise NoNodeFoundError where it finds nothing"),
        (Finding("shop"), "each of what discover() gives must be Target, not str"),
        (Finding(target(node="shop@h")), "the node of a target must be NodeName, not str"),
        (Finding(target(address="")), "the address of a target must not be empty"),
        (Finding(target(dist_port=0)), "dist_port must be from 1 to 65535, not 0"),
        (Finding(target(epmd_port=None)), "epmd_port must be int, not NoneType"),
        (Finding(target(cookies=[])), "the cookies of a target must be tuple, not list"),
        (Finding(target(transports=("direct",))), "each of the transports of a target must be Ref"),
        (Finding(target(facts={"ready": True})), "the fact 'ready' must be str, not bool"),
        (Shuffling(), "two discoveries must give the same targets in the same order"),
        (
            EmptyHanded(),
            "which is missing, must raise NoNodeFoundError or LookupFailedError; it gave []",
        ),
        (Curt(), "the NoNodeFoundError says no remedy"),
        (Unsorted(), "must raise NoNodeFoundError or LookupFailedError, not RefusedError"),
        (Hasty(), "discover() must be asynchronous"),
        (Foreign(), "discover() raised TimeoutError, which is none of erlconnect's"),
        (Tiring(), "tired of being asked"),
        (EmptyWatch(), "watch() must raise NoNodeFoundError where it finds nothing"),
        (BlankServices(), "services() must not give an empty name"),
        (Tunnelling(), "the backend asks for the transport 'tunnel' to 10.0.0.1"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_a_backend_that_breaks_the_contract_is_told_why(
    backend: Lantern, sentence: str
) -> None:
    with pytest.raises(AssertionError) as caught:
        await check_backend(backend, HERE, missing=NOWHERE)
    assert sentence in str(caught.value)


async def test_a_task_that_outlives_a_cancellation_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kit, "GRACE_SECONDS", 0.1)
    backend = LeavesTask()
    with pytest.raises(AssertionError, match=r"cancelled, left behind: the task .*sleep"):
        await check_backend(backend, HERE)
    backend.task.cancel()


async def test_a_descriptor_that_outlives_a_cancellation_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kit, "GRACE_SECONDS", 0.1)
    backend = LeavesDescriptor()
    with pytest.raises(AssertionError, match="left behind: the open file descriptor"):
        await check_backend(backend, HERE)
    os.close(backend.descriptor)


def test_a_standalone_session_remembers_warnings() -> None:
    session = StandaloneSession()
    session.warn("the template is wrong")
    assert session.warnings == ["the template is wrong"]
