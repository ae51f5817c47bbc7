"""Several TARGETs in one session: all stand before one alias appears, or none does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from world.connected import LOCAL_COOKIE, REMOTE_COOKIE, remote_node
from world.erlang import ErlangNode
from world.waiting import wait_until

from erlconnect.configuration.session_settings import parse_options
from erlconnect.errors import ErlconnectError, UnreachableError
from erlconnect.plugin_manager import Catalogue
from erlconnect.session.config import SessionConfig
from erlconnect.session.events import Ready
from erlconnect.session.instance_lock import instance_lock
from erlconnect.session.plugin_resolver import PluginSpec
from erlconnect.session.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from world.epmd import RealEpmd

    from erlconnect.hookspecs import LinkEvent
    from erlconnect.session.events import Event


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event | LinkEvent] = []
        self.ready = asyncio.Event()

    def report(self, event: Event | LinkEvent) -> None:
        self.events.append(event)
        if isinstance(event, Ready):
            self.ready.set()

    def progress(self, message: str) -> None:
        pass


def config(node: str, port: int, folder: Path, **more: Any) -> SessionConfig:
    cookie = folder / "local.cookie"
    cookie.write_text(LOCAL_COOKIE)
    cookie.chmod(0o400)
    settings = [f"dist-port={port}", "address=127.0.0.1"]
    parsed = parse_options(settings, environment={})
    return SessionConfig(
        service=node,
        backend=PluginSpec(name="fixed", options=parsed.backend),
        cookie_source=PluginSpec(name="env", argument="REMOTE"),
        settings=parsed.session,
        local_cookie_file=cookie,
        **more,
    )


@asynccontextmanager
async def opened(*wanted: SessionConfig, epmd_port: int) -> AsyncIterator[Recorder]:
    recorder = Recorder()
    environment = {"ERL_EPMD_PORT": str(epmd_port), "REMOTE": REMOTE_COOKIE}
    with instance_lock(environment) as slot:
        session = Session(wanted, Catalogue(), recorder, environment, slot)
        async with served(session, recorder):
            yield recorder


@asynccontextmanager
async def served(session: Session, recorder: Recorder) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(session.run())
        async with asyncio.timeout(20):
            await recorder.ready.wait()
        yield
        running.cancel()


async def test_one_ready_lists_all_and_each_is_another_node(
    epmd: RealEpmd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMOTE", REMOTE_COOKIE)
    with (
        remote_node("shop@a.shop.test") as shop,
        remote_node("billing@b.shop.test") as billing,
        ErlangNode.start("dev@127.0.0.1", epmd_port=epmd.port, cookie=LOCAL_COOKIE) as dev,
    ):
        wanted = [config(one.name, one.dist_port, tmp_path) for one in (shop, billing)]
        async with opened(*wanted, epmd_port=epmd.port) as recorder:
            [ready] = recorder.events
            assert isinstance(ready, Ready)
            assert [one.alias for one in ready.aliases] == ["shop@127.0.0.1", "billing@127.0.0.1"]
            called = await asyncio.to_thread(
                dev.evaluate,
                "[erpc:call(N, erlang, node, []) || N <- ['shop@127.0.0.1', 'billing@127.0.0.1']].",
            )
            assert called == "['shop@127.0.0.1','billing@127.0.0.1']"
            seen = await asyncio.to_thread(billing.evaluate, "length(nodes(hidden)).")
            assert seen == "1"
            assert set(epmd.names()) == {"dev", "shop", "billing"}
        await asyncio.to_thread(
            wait_until, lambda: set(epmd.names()) == {"dev"}, "the aliases are gone"
        )


async def test_the_same_name_twice_gets_a_number_and_it_is_said(
    epmd: RealEpmd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMOTE", REMOTE_COOKIE)
    with remote_node("shop@a.shop.test") as one, remote_node("shop@b.shop.test") as other:
        wanted = [config(node.name, node.dist_port, tmp_path) for node in (one, other)]
        async with opened(*wanted, epmd_port=epmd.port) as recorder:
            warning, ready = recorder.events
            assert "the name shop is taken; the alias is shop-2@127.0.0.1" in str(warning)
            assert isinstance(ready, Ready)
            assert [one.node for one in ready.aliases] == ["shop@a.shop.test", "shop@b.shop.test"]


async def test_one_that_cannot_be_opened_opens_none(
    epmd: RealEpmd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMOTE", REMOTE_COOKIE)
    with remote_node("shop@a.shop.test") as shop:
        wanted = [
            config(shop.name, shop.dist_port, tmp_path),
            config("billing@b.shop.test", 1, tmp_path),
        ]
        environment = {"ERL_EPMD_PORT": str(epmd.port), "REMOTE": REMOTE_COOKIE}
        recorder = Recorder()
        with instance_lock(environment) as slot, pytest.raises(ErlconnectError) as caught:
            await Session(wanted, Catalogue(), recorder, environment, slot).run()
        assert isinstance(caught.value, UnreachableError)
        assert recorder.events == []
        assert epmd.names() == {}
