"""The setting that names a server inside a cluster, and how the way to it fails."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from dns_records.searching import Listener, search, settings_of
from world.ports import free_port

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    Ref,
    RefusedError,
    Target,
    TimedOutError,
    UnreachableError,
)
from erlconnect.errors import UnknownSettingError

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

SERVER = "kubernetes://kube-system/kube-dns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnels(Listener):
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


@pytest.mark.parametrize(
    "text",
    [
        "kubernetes://",
        "kubernetes://kube-dns",
        "kubernetes://kube-system/",
        "kubernetes:///kube-dns",
        "kubernetes://kube-system/kube-dns/53",
        "kubernetes://Kube-System/kube-dns",
        "kubernetes://kube-system/kube dns",
    ],
)
def test_anything_else_is_refused_with_the_setting_named(text: str) -> None:
    with pytest.raises(UnknownSettingError, match="-o server="):
        settings_of(server=text)


def test_a_host_may_be_called_kubernetes() -> None:
    port = free_port()
    assert settings_of(server=f"kubernetes:{port}").server == f"kubernetes:{port}"
