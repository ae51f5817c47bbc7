from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from dns_records.searching import search, settings_of
from world.missing import require

from erlconnect.api import ConfigurationError, LookupFailedError, LookupTimeoutError
from erlconnect.errors import UnknownSettingError
from erlconnect_backends.dns_records.servers import (
    SYSTEM_FILE,
    host_and_port,
    name_servers,
    system_name_servers,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("10.96.0.10", "10.96.0.10", 53),
        ("127.0.0.1:5353", "127.0.0.1", 5353),
        ("ns.example:53", "ns.example", 53),
        ("[fd12::10]", "fd12::10", 53),
        ("[::1]:5353", "::1", 5353),
        ("[fe80::1%eth0]:53", "fe80::1%eth0", 53),
    ],
)
def test_the_setting_is_a_host_and_perhaps_a_port(text: str, host: str, port: int) -> None:
    assert host_and_port(text) == (host, port)
    assert settings_of(server=text).server == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":53",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:domain",
        "::1",
        "fd12::10:53",
        "[10.0.0.1]:53",
        "[nonsense]",
        "tcp://10.96.0.10",
        "two words",
    ],
)
def test_anything_else_is_refused_with_the_setting_named(text: str) -> None:
    with pytest.raises(UnknownSettingError, match="-o server="):
        settings_of(server=text)


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
