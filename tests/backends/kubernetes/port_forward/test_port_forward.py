"""Dialling ports of a pod through the API server: what comes of it, and in which words."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

import pytest
from backends.kubernetes.port_forward.here import (
    MEGABYTE,
    NAMESPACE,
    POD,
    Here,
    echoed,
    next_byte,
    target,
)
from world.kubernetes.certificates import Authority
from world.listeners import echo, listening
from world.ports import free_port
from world.waiting import wait_until

from erlconnect.api import RefusedError, TimedOutError, UnreachableError
from erlconnect.testing import check_transport
from erlconnect_backends.kubernetes import requests
from erlconnect_backends.kubernetes.api_client import ApiClient
from erlconnect_backends.kubernetes.cluster_access import cluster_access
from erlconnect_backends.kubernetes.plugin import AccessSettings

if TYPE_CHECKING:
    import socket

PORT_FORWARD = "/portforward"


async def test_it_keeps_the_contract(here: Here) -> None:
    with listening(echo) as port:
        await check_transport(here.transport(), target(port), port=port, closed_port=free_port())


async def test_64_megabytes_come_back_as_they_went(here: Here) -> None:
    content = os.urandom(MEGABYTE) * 64
    with listening(echo) as port:
        async with here.open(port) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, content) == content


async def test_a_closed_port_is_told_within_a_second(here: Here) -> None:
    port = free_port()
    async with here.open(port) as dialer:
        begin = time.monotonic()
        with pytest.raises(UnreachableError) as failure:
            await dialer.dial(port)
        assert time.monotonic() - begin < 1
    assert f"Port {port} of pod shop/shop-0" in failure.value.message
    assert "connect: connection refused" in failure.value.message
    assert "only what listens on loopback" in failure.value.remedy


async def test_a_port_that_closes_under_a_stream_is_told_of_that(here: Here) -> None:
    connections: list[socket.socket] = []

    def keep(connection: socket.socket) -> None:
        connections.append(connection)
        echo(connection)

    with listening(keep) as port:
        async with here.open(port) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"
                connections[0].shutdown(2)
                assert await next_byte(stream) == b""
                assert await dialer.why_ended(stream) == ""


async def test_a_pod_that_is_gone(here: Here) -> None:
    with listening(echo) as port:
        async with here.open(port) as dialer:
            (await dialer.dial(port)).close()
            here.remove_pod()
            with pytest.raises(UnreachableError, match='pods "shop-0" not found'):
                await dialer.dial(port)


async def test_a_pod_that_never_was(here: Here) -> None:
    with pytest.raises(UnreachableError, match="not found"):
        async with here.open(4369, pod="shop-9"):
            pass


async def test_expired_credentials_are_renewed_between_dials(here: Here) -> None:
    with listening(echo) as port:
        async with here.open(port) as dialer:
            (await dialer.dial(port)).close()
            old = here.api.token
            here.api.token = here.api.users.add("later", "system:masters")
            here.api.kubeconfig(here.kubeconfig)
            here.api.users.expire(old)
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"


async def test_credentials_that_nothing_renews(here: Here) -> None:
    here.api.users.expire(here.api.token)
    with pytest.raises(RefusedError, match="does not accept the credentials"):
        async with here.open(4369):
            pass


async def test_a_certificate_of_another_authority_is_refused(here: Here) -> None:
    trusted = here.api.authority
    here.api.authority = Authority()
    here.api.kubeconfig(here.kubeconfig)
    here.api.authority = trusted
    with pytest.raises(UnreachableError, match="certificate that is not trusted"):
        async with here.open(4369):
            pass


async def test_a_server_that_is_busy_is_asked_again(here: Here) -> None:
    here.api.faults.answer(429, PORT_FORWARD, times=2)
    with listening(echo) as port:
        async with here.open(port) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"


async def test_a_connection_that_is_reset_once(here: Here) -> None:
    here.api.faults.reset(PORT_FORWARD, times=1)
    with listening(echo) as port:
        async with here.open(port) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"


async def test_a_server_that_stays_busy(here: Here) -> None:
    here.api.faults.answer(429, PORT_FORWARD)
    with pytest.raises(TimedOutError, match="429"):
        async with here.open(4369):
            pass


async def test_a_server_that_is_ill(here: Here) -> None:
    here.api.faults.answer(503, PORT_FORWARD)
    with pytest.raises(UnreachableError, match="503"):
        async with here.open(4369):
            pass


async def test_a_server_that_is_away_and_comes_back(here: Here) -> None:
    with listening(echo) as port:
        async with here.open(port) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"
                here.api.go_away()
                assert await next_byte(stream) == b""
                words = await dialer.why_ended(stream)
                assert words == "the connection to the API server broke: Connection reset by peer"
            with pytest.raises(UnreachableError, match="could not be reached: Connection refused"):
                await dialer.dial(port)
            here.api.come_back()
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"


async def test_the_first_dial_needs_no_answer_of_the_server(here: Here) -> None:
    with listening(echo) as port:
        async with here.open(port) as dialer:
            here.api.faults.delay(5, PORT_FORWARD)
            async with asyncio.timeout(1):
                stream = await dialer.dial(port)
            with stream:
                assert await echoed(stream, b"erl") == b"erl"


async def test_a_stream_that_nobody_comes_for_is_closed(here: Here) -> None:
    open_ones: list[socket.socket] = []

    def notice(connection: socket.socket) -> None:
        open_ones.append(connection)
        echo(connection)
        open_ones.remove(connection)

    with listening(notice) as port:
        async with here.open(port):
            await asyncio.to_thread(wait_until, lambda: open_ones, "the first stream is there")
            await asyncio.to_thread(wait_until, lambda: not open_ones, "it is closed", 10)


async def test_a_way_that_takes_three_seconds(here: Here) -> None:
    here.api.faults.delay(3, PORT_FORWARD)
    with listening(echo) as port:
        async with here.open(free_port()) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"


async def test_eight_forwards_while_the_api_answers(here: Here) -> None:
    content = os.urandom(4 * MEGABYTE)
    settings = {"kubeconfig": str(here.kubeconfig), "namespace": NAMESPACE}
    rest = ApiClient(await cluster_access(AccessSettings.model_validate(settings)))

    pods = requests.all_of(requests.POD, namespace=NAMESPACE)

    async def forward() -> bytes:
        with await dialer.dial(port) as stream:
            return await echoed(stream, content)

    async def ask_meanwhile() -> int:
        asked = 0
        while not all(task.done() for task in forwards):
            found = await rest.items(pods)
            assert [pod["metadata"]["name"] for pod in found] == [POD]
            asked += 1
        return asked

    with listening(echo) as port:
        async with here.open(port) as dialer, asyncio.TaskGroup() as group:
            forwards = [group.create_task(forward()) for _ in range(8)]
            asked = group.create_task(ask_meanwhile())
    assert all(task.result() == content for task in forwards)
    assert asked.result() > 1


async def test_links_that_are_up_outlive_the_transport(here: Here) -> None:
    with listening(echo) as port:
        async with here.open(port) as dialer:
            stream = await dialer.dial(port)
        with stream:
            assert await echoed(stream, b"erl") == b"erl"


async def test_both_ends_are_closed_at_once(here: Here) -> None:
    ended: list[float] = []

    def until_the_end(connection: socket.socket) -> None:
        echo(connection)
        ended.append(time.monotonic())

    with listening(until_the_end) as port:
        async with here.open(port) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"
            await asyncio.to_thread(wait_until, lambda: ended, "the pod's end is closed", 2)
