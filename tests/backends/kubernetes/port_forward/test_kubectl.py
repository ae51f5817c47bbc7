"""The way through ``kubectl port-forward``, by the real kubectl."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from backends.kubernetes.port_forward.here import MEGABYTE, Here, echoed, next_byte, target
from backends.kubernetes.port_forward.kubectl_on_path import kubectl_on_path, without_kubectl
from world.kubernetes.kubectl import SUITES
from world.listeners import echo, listening
from world.ports import free_port

from erlconnect.api import RefusedError, UnreachableError
from erlconnect.testing import check_transport

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = "portforward.* v4.channel.k8s.io$"
ANY = "/portforward"


@pytest.fixture(params=SUITES)
def here(
    here: Here, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Here]:
    """Our websockets are refused, and kubectl is there."""
    with kubectl_on_path(request.param) as path:
        monkeypatch.setenv("PATH", path)
        monkeypatch.setenv("HOME", str(here.kubeconfig.parent))
        here.api.faults.answer(403, OURS)
        yield here


async def test_it_keeps_the_contract(here: Here) -> None:
    with listening(echo) as port:
        await check_transport(here.transport(), target(port), port=port, closed_port=free_port())


async def test_8_megabytes_come_back_as_they_went(here: Here) -> None:
    content = os.urandom(8 * MEGABYTE)
    with listening(echo) as port:
        async with here.open(port) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, content) == content


async def test_a_closed_port_ends_no_stream_to_another(here: Here) -> None:
    """Kubectl gives up with all its forwards as soon as a pod refuses one."""
    closed = free_port()
    with listening(echo) as port:
        async with here.open(port) as dialer:
            with await dialer.dial(port) as stream:
                for _ in range(2):
                    with pytest.raises(UnreachableError, match="connection refused") as failed:
                        await dialer.dial(closed)
                    assert f"Port {closed} of pod shop/shop-0" in failed.value.message
                assert await echoed(stream, b"erl") == b"erl"


async def test_a_port_that_opens_again_is_reached_again(here: Here) -> None:
    async with here.open(free_port()) as dialer:
        with listening(echo) as port, await dialer.dial(port) as stream:
            assert await echoed(stream, b"erl") == b"erl"
        with pytest.raises(UnreachableError):
            await dialer.dial(port)
        with listening(echo, port=port), await dialer.dial(port) as stream:
            assert await echoed(stream, b"erl") == b"erl"


async def test_kubectl_that_is_killed_is_started_again(here: Here) -> None:
    with listening(echo) as port:
        async with here.open(port) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"
                (kubectl,) = children_called("kubectl")
                os.kill(kubectl, signal.SIGKILL)
                assert await next_byte(stream) == b""
                assert "kubectl ended" in await dialer.why_ended(stream)
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"
        assert children_called("kubectl") == []


async def test_it_is_said_once_and_with_the_reason(
    here: Here, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(echo) as port:
        async with here.open(port) as dialer:
            streams = await asyncio.gather(*(dialer.dial(port) for _ in range(3)))
            for stream in streams:
                stream.close()
    (said,) = [one.getMessage() for one in caplog.records if "kubectl" in one.getMessage()]
    assert said.startswith("shop/shop-0 goes through kubectl port-forward: ")
    assert "403" in said
    assert here.api.token not in caplog.text


async def test_where_kubectl_fails_too_both_are_told(here: Here) -> None:
    here.api.faults.answer(403, ANY)
    with pytest.raises(RefusedError) as failed:
        async with here.open(4369):
            pass
    assert "does not allow to create pods/portforward" in failed.value.message
    assert "kubectl port-forward to port 4369 of pod shop/shop-0 ended: " in failed.value.message
    assert 'resources: ["pods/portforward"]' in failed.value.remedy


async def test_without_kubectl_the_refusal_is_told(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", without_kubectl())
    with pytest.raises(RefusedError, match="does not allow to create"):
        async with here.open(4369):
            pass


async def test_a_proxy_that_cuts_websockets(here: Here) -> None:
    here.api.faults.clear()
    here.api.faults.reset(OURS)
    with listening(echo) as port:
        async with here.open(port) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"


@pytest.mark.parametrize("status", [200, 400, 405, 426])
async def test_a_server_that_knows_no_websockets(here: Here, status: int) -> None:
    here.api.faults.clear()
    here.api.faults.answer(status, OURS)
    with listening(echo) as port:
        async with here.open(port) as dialer:
            with await dialer.dial(port) as stream:
                assert await echoed(stream, b"erl") == b"erl"


def children_called(name: str) -> list[int]:
    """Processes below this one that run the program ``name``."""
    parents, found = {os.getpid()}, []
    stats = sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda path: int(path.parent.name))
    for stat in stats:
        try:
            pid, rest = int(stat.parent.name), stat.read_text()
        except OSError:
            continue
        command, fields = rest[rest.index("(") + 1 : rest.rindex(")")], rest[rest.rindex(")") :]
        if int(fields.split()[2]) in parents and fields.split()[1] != "Z":
            parents.add(pid)
            found += [pid] if command == name else []
    return found
