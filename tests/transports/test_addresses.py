from __future__ import annotations

import socket

import pytest

from erlconnect.api import ConfigurationError, NameNotFoundError, UnreachableError
from erlconnect.net.dial import Address, interleaved
from erlconnect_plugins.transports.addresses import Family, addresses_of

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
