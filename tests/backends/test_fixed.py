from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erlconnect.api import NodeName, Query, UsageError
from erlconnect.configuration.settings import resolve_settings
from erlconnect.errors import UnknownSettingError
from erlconnect_backends.fixed import erlconnect_backends

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from erlconnect.api import Backend, Dialer, Ref, Target


class Silence:
    """A session that must not be needed."""

    def dialer(self, ref: Ref, target: Target) -> AbstractAsyncContextManager[Dialer]:
        raise AssertionError(f"'fixed' asked for a dialer: {ref} to {target}")

    def warn(self, message: str) -> None:
        raise AssertionError(f"'fixed' warned: {message}")


async def discover(target: str, **options: str) -> Sequence[Target]:
    (offer,) = erlconnect_backends()
    settings = resolve_settings(offer, options=options, inherited={}, environment={})
    backend: Backend = offer.create(settings)
    return await backend.discover(Query(service=target), Silence())


@pytest.mark.parametrize(
    "target", ["app@10.3.2.1", "app@shop.example", "app@shop", "app@fd12:34::2", "a_b-1@::1"]
)
async def test_the_host_part_is_the_address_by_default(target: str) -> None:
    (found,) = await discover(target)
    assert str(found.node) == target
    assert found.address == target.partition("@")[2]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "shop.example", "fd12:34::2", "[fd12:34::2]", "fe80::1%eth0", "[fe80::1%eth0]"],
)
async def test_an_address_passes_as_it_was_written(address: str) -> None:
    (found,) = await discover("app@pod-7", address=address)
    assert found.node == NodeName(name="app", host="pod-7")
    assert found.address == address


async def test_ports_are_left_to_the_session() -> None:
    (found,) = await discover("app@10.3.2.1")
    assert (found.dist_port, found.epmd_port) == (None, 4369)


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("10.3.2.1", "no '@'"),
        ("", "no '@'"),
        ("@10.3.2.1", "before the '@'"),
        ("my app@10.3.2.1", "before the '@'"),
        ("app@", "host"),
        ("app@a b", "host"),
        ("app@b@c", "host"),
        ("app@" + "a" * 260, "longer than 255"),
    ],
)
async def test_rubbish_is_a_usage_error_that_says_what_to_write(target: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as refused:
        await discover(target)
    assert "name@host" in refused.value.remedy


@pytest.mark.parametrize("address", ["10.3.2.1:9100", "shop.example:4369", "[::1]:4369", "host:"])
async def test_a_port_in_the_address_is_sent_to_where_it_belongs(address: str) -> None:
    with pytest.raises(UnknownSettingError, match="dist-port"):
        await discover("app@pod-7", address=address)


@pytest.mark.parametrize(
    "address", ["http://10.0.0.1", "epmd://host", "10.0.0.1/24", "app@10.0.0.1", "a b", "a\n"]
)
async def test_more_than_a_host_is_not_looked_up_as_a_name(address: str) -> None:
    with pytest.raises(UnknownSettingError, match="a host name or an IP address and nothing else"):
        await discover("app@pod-7", address=address)


async def test_an_empty_address_is_refused() -> None:
    with pytest.raises(UnknownSettingError, match="address"):
        await discover("app@pod-7", address="")
