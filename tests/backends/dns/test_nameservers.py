"""Which servers are asked: of the setting, of resolv.conf, or through a tunnel that may fail."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from backends.dns.searching import RecordingSession, search
from world.missing import require

from erlconnect.api import (
    ConfigurationError,
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    Ref,
    RefusedError,
    Target,
    TimedOutError,
    UnreachableError,
)
from erlconnect_backends.dns.nameservers import (
    SYSTEM_FILE,
    name_servers,
    system_name_servers,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SERVER = "kubernetes://kube-system/kube-dns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnels(RecordingSession):
    """A session with a tunnel that fails, when it is opened or when it is dialled."""

    opening: ErlconnectError | None = None
    dialling: ErlconnectError | None = None
    asked: list[tuple[Ref, Target]] = field(default_factory=list)

    @asynccontextmanager
    async def dialer(self, ref: Ref, target: Target) -> AsyncIterator[Tunnels]:
        self.asked.append((ref, target))
        if self.opening:
            raise self.opening
        yield self

    async def dial(self, port: int) -> socket.socket:
        assert port == 53
        assert self.dialling
        raise self.dialling


async def test_the_transport_is_asked_for_by_reference() -> None:
    session = Tunnels(opening=UnreachableError("The pod is gone", remedy="Look."))
    with pytest.raises(LookupFailedError):
        await search("shop.example", server=SERVER, session=session)
    ((ref, target),) = session.asked
    assert ref.name == "kubernetes-port-forward"
    assert ref.settings == {"namespace": "kube-system", "service": "kube-dns"}
    assert target.dist_port == 53


@pytest.mark.parametrize(
    ("failure", "becomes"),
    [
        (UnreachableError, LookupFailedError),
        (TimedOutError, LookupTimeoutError),
        (RefusedError, RefusedError),
    ],
)
async def test_a_way_that_does_not_open_is_a_failed_lookup(
    failure: type[ErlconnectError], becomes: type[ErlconnectError]
) -> None:
    session = Tunnels(opening=failure("It is away", remedy="Come back."))
    with pytest.raises(becomes, match="It is away") as failed:
        await search("shop.example", server=SERVER, session=session)
    assert type(failed.value) is becomes
    assert failed.value.remedy == "Come back."


@pytest.mark.parametrize(
    ("failure", "becomes"),
    [(UnreachableError, LookupFailedError), (TimedOutError, LookupTimeoutError)],
)
async def test_so_is_one_that_leads_nowhere(
    failure: type[ErlconnectError], becomes: type[ErlconnectError]
) -> None:
    session = Tunnels(dialling=failure("It is away", remedy="Come back."))
    with pytest.raises(becomes, match=f"{SERVER} could not be asked: It is away") as failed:
        await search("shop.example", server=SERVER, session=session, seconds=0.5)
    assert type(failed.value) is becomes


async def test_a_server_whose_name_is_unknown_is_a_failed_lookup() -> None:
    with pytest.raises(LookupFailedError, match=r"name server .{70}\.invalid") as failed:
        await search("shop.example", server=f"{'x' * 70}.invalid")
    assert "address" in failed.value.remedy


async def test_a_server_whose_name_is_not_found_in_time_is_a_timeout() -> None:
    with pytest.raises(LookupTimeoutError, match="localhost"):
        await name_servers("localhost", until=0.0)


async def test_without_the_setting_the_system_is_asked() -> None:
    text = SYSTEM_FILE.read_text() if SYSTEM_FILE.exists() else ""
    require("a name server in resolv.conf", "\nnameserver " in f"\n{text}")
    assert await name_servers(None, until=0.0) == system_name_servers()


def test_the_system_names_its_servers_in_resolv_conf(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# nameserver 10.0.0.1\n; nameserver 10.0.0.2\nsearch example.com\n\nnameserver\n"
        "nameserver 10.96.0.10\n nameserver fd12::10 trailing\nnameserver ns.example\n"
        "nameserver 10.96.0.10\nnameserver fe80::1%no-such-zone\noptions ndots:5\n"
    )
    servers = system_name_servers(file)
    assert [each.text for each in servers] == ["10.96.0.10", "[fd12::10]"]
    assert servers[0].sockaddr == ("10.96.0.10", 53)
    assert servers[1].family == socket.AF_INET6


def test_zones_of_the_systems_servers_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver fe80::1%lo\n")
    (server,) = system_name_servers(file)
    assert server.sockaddr[3] == socket.if_nametoindex("lo")


@pytest.mark.parametrize("text", [None, "", "search example.com\n", "nameserver ns.example\n"])
def test_a_system_without_name_servers_is_not_set_up(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "resolv.conf"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"resolv\.conf") as failed:
        system_name_servers(file)
    assert "-o server=" in failed.value.remedy
