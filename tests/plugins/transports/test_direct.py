"""The transport ``direct``, over real networks of its own."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING

import pydantic
import pytest
from plugins.transports.own_network import run_in_own_network
from plugins.transports.sockets import listening, silent
from world.ports import free_port

from erlconnect.api import (
    ConfigurationError,
    NameNotFoundError,
    NodeName,
    Target,
    TimedOutError,
    UnreachableError,
)
from erlconnect.net.dial import Address, interleaved
from erlconnect_plugins.transports import direct
from erlconnect_plugins.transports.direct import (
    DirectSettings,
    DirectTransport,
    Family,
    addresses_of,
    erlconnect_transports,
)

if TYPE_CHECKING:
    from pathlib import Path

BOTH_FAMILIES = "127.0.0.1 app.test\n::1 app.test\n"


async def dial(address: str, port: int, **settings: str) -> socket.socket:
    target = Target(node=NodeName.parse("app@10.3.2.1"), address=address)
    transport = DirectTransport(DirectSettings.model_validate(settings))
    async with transport.open(target) as dialer:
        return await dialer.dial(port)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "[::1]", "localhost"])
async def test_a_dialled_socket_is_plain_connected_and_ready(address: str) -> None:
    loop = asyncio.get_running_loop()
    family_of = "::1" if ":" in address else "127.0.0.1"
    with listening(family_of) as (listener, port), await dial(address, port) as connected:
        accepted, _ = listener.accept()
        with accepted:
            await loop.sock_sendall(connected, b"ping")
            assert accepted.recv(4) == b"ping"
        assert type(connected) is socket.socket
        assert connected.getblocking() is False
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


async def test_a_named_host_is_dialled_instead_of_the_target() -> None:
    with (
        listening("127.0.0.1") as (_, port),
        await dial("192.0.2.1", port, host="127.0.0.1") as sock,
    ):
        assert sock.getpeername() == ("127.0.0.1", port)


async def test_one_open_transport_dials_many_times() -> None:
    target = Target(node=NodeName.parse("app@10.3.2.1"), address="127.0.0.1")
    with listening("127.0.0.1") as (_, first), listening("127.0.0.1") as (_, second):
        async with DirectTransport(DirectSettings()).open(target) as dialer:
            for port in (first, second, first):
                with await dialer.dial(port) as connected:
                    assert connected.getpeername() == ("127.0.0.1", port)


async def test_a_refusal_names_address_and_port() -> None:
    port = free_port()
    with pytest.raises(UnreachableError) as refused:
        await dial("127.0.0.1", port)

    assert refused.value.message == (
        f"Could not connect to 127.0.0.1, port {port} (127.0.0.1: refused the connection)"
    )
    assert f"nobody listens on port {port}" in refused.value.remedy


async def test_silence_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "DEADLINE_SECONDS", 0.4)
    with silent("127.0.0.1") as (_, port), pytest.raises(TimedOutError) as timed_out:
        await dial("127.0.0.1", port)

    assert f"127.0.0.1, port {port} (127.0.0.1: no answer within" in timed_out.value.message


def test_both_families_of_a_name_are_tried(tmp_path: Path) -> None:
    program = """
with listener("127.0.0.1", 4444):
    answer("app.test", 4444)
with listener("::1", 4444):
    answer("app.test", 4444)
answer("app.test", 4444)
answer("app.test", 4444, family="6")
"""
    lines = run_in_own_network(tmp_path, program, hosts=BOTH_FAMILIES).splitlines()
    four, six, neither, only_six = map(json.loads, lines)

    assert four == {"peer": ["127.0.0.1", 4444]}
    assert six == {"peer": ["::1", 4444]}
    assert neither["cause"] == only_six["cause"] == "unreachable"
    assert "127.0.0.1: refused the connection" in neither["message"]
    assert "::1: refused the connection" in neither["message"]
    assert "127.0.0.1" not in only_six["message"]


def test_an_address_behind_an_interface_is_dialled(tmp_path: Path) -> None:
    program = """
with listener("::", 4444):
    answer("fe80::1%lo", 4444)
    answer("[fd12::1%lo]", 4444)
    answer("fe80::1", 4444)
"""
    lines = run_in_own_network(tmp_path, program).splitlines()
    link_local, private, without_zone = map(json.loads, lines)

    assert link_local["peer"][0].partition("%")[0] == "fe80::1"
    assert private["peer"] == ["fd12::1", 4444]
    assert without_zone["message"].startswith("fe80::1 is a link-local address")
    assert "fe80::1%eth0" in without_zone["remedy"]


def test_a_private_network_that_is_not_joined_is_named_with_the_ways_in(tmp_path: Path) -> None:
    program = 'answer("fd77::1", 4444); answer("10.3.2.1", 4444)'
    for line in run_in_own_network(tmp_path, program).splitlines():
        said = json.loads(line)
        assert said["cause"] == "unreachable"
        assert ": no route to that network)" in said["message"]
        assert "port 4444" in said["message"]
        for way in ("VPN", "-o transport.host=", "--via"):
            assert way in said["remedy"]


def test_a_name_that_does_not_exist(tmp_path: Path) -> None:
    program = 'answer("other.test", 4444); answer("app.test", 4444, family="6")'
    output = run_in_own_network(tmp_path, program, hosts="127.0.0.1 app.test\n")
    missing, no_six = map(json.loads, output.splitlines())

    assert missing["cause"] == no_six["cause"] == "name-not-found"
    assert missing["message"].startswith("The name other.test has no address: ")
    assert no_six["message"].startswith("The name app.test has no IPv6 address: ")


def test_a_name_server_that_is_not_there_is_no_missing_name(tmp_path: Path) -> None:
    program = 'answer("other.test", 4444)'
    said = json.loads(run_in_own_network(tmp_path, program, name_server="127.0.0.1"))

    assert said["cause"] == "lookup-failed"
    assert "name server" in said["remedy"]


def test_a_silent_name_server_holds_up_neither_the_dial_nor_the_end(tmp_path: Path) -> None:
    # The resolver itself waits 30 s, the whole program at most 20.
    program = """
direct.DEADLINE_SECONDS = 0.5
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("127.0.0.1", 53))
    answer("other.test", 4444)
"""
    said = json.loads(run_in_own_network(tmp_path, program, name_server="127.0.0.1"))

    assert said["cause"] == "lookup-timeout"
    assert said["message"].startswith("The name other.test could not be looked up within")


@pytest.mark.parametrize("family", [4, "4", 6, "6", "auto"])
def test_a_family_may_be_a_number(family: object) -> None:
    assert DirectSettings.model_validate({"family": family}).family == str(family)


@pytest.mark.parametrize("settings", [{"family": "5"}, {"host": ""}, {"port": 1}])
def test_other_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        DirectSettings.model_validate(settings)


def test_the_offer_is_called_direct() -> None:
    (offer,) = erlconnect_transports()

    assert offer.name == "direct"
    assert isinstance(offer.create(offer.settings()), DirectTransport)


LOOPBACK_INDEX = socket.if_nametoindex("lo")
V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.mark.parametrize(
    ("host", "family", "sockaddr"),
    [
        ("10.3.2.1", V4, ("10.3.2.1", 4444)),
        ("fd12::1", V6, ("fd12::1", 4444, 0, 0)),
        ("[fd12:0::1]", V6, ("fd12::1", 4444, 0, 0)),
        ("fe80::1%lo", V6, ("fe80::1", 4444, 0, LOOPBACK_INDEX)),
        ("[fe80::1%7]", V6, ("fe80::1", 4444, 0, 7)),
        # The system's resolver takes the name of a zone for link-local addresses only.
        ("[fd12::1%lo]", V6, ("fd12::1", 4444, 0, LOOPBACK_INDEX)),
    ],
)
async def test_a_numeric_address_needs_no_lookup(
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    family: socket.AddressFamily,
    sockaddr: tuple[object, ...],
) -> None:
    monkeypatch.delattr(socket, "getaddrinfo")
    (address,) = await addresses_of(host, 4444, "auto")

    assert (address.family, address.sockaddr) == (family, sockaddr)
    assert address.text == host.strip("[]").replace(":0::", "::")


async def test_a_zone_that_this_machine_lacks_is_named() -> None:
    with pytest.raises(UnreachableError, match="fd12::1%wg0 is behind the interface wg0") as error:
        await addresses_of("[fd12::1%wg0]", 4444, "auto")

    assert "-o transport.host=" in error.value.remedy


@pytest.mark.parametrize(("host", "family"), [("10.3.2.1", "6"), ("[fd12::1]", "4")])
async def test_an_address_of_the_other_family_is_a_contradiction(host: str, family: Family) -> None:
    with pytest.raises(ConfigurationError, match=f"is no IPv{family} address"):
        await addresses_of(host, 4444, family)


async def test_a_name_is_looked_up_and_each_address_is_there_once() -> None:
    addresses = await addresses_of("localhost", 4444, "4")

    assert [address.sockaddr for address in addresses] == [("127.0.0.1", 4444)]


async def test_what_can_be_no_name_is_not_found() -> None:
    with pytest.raises(NameNotFoundError, match="it is no valid name"):
        await addresses_of("x" * 64 + ".test", 4444, "auto")


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("10.3.2.1", True),
        ("fd00::1", True),
        ("fe80::1%lo", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("8.8.8.8", False),
    ],
)
def test_a_private_address_is_known_as_one(text: str, private: bool) -> None:
    assert Address(family=V4, sockaddr=(), text=text).private is private


def test_families_alternate_and_the_preferred_one_begins() -> None:
    found = [
        Address(family=V6 if ":" in text else V4, sockaddr=(text,), text=text)
        for text in ("fd12::1", "fd12::2", "fd12::3", "10.0.0.1")
    ]

    ordered = [address.text for address in interleaved(found)]
    assert ordered == ["fd12::1", "10.0.0.1", "fd12::2", "fd12::3"]
