"""Servers that are silent, gone or unable, and whom to ask next."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from dns_records.responder import answering, responder
from dns_records.searching import PATIENCE, search
from world.ports import free_port

from erlconnect.api import LookupFailedError, LookupTimeoutError
from erlconnect_backends.dns_records.records import Question
from erlconnect_backends.dns_records.resolver import Resolver
from erlconnect_backends.dns_records.servers import NameServer
from erlconnect_backends.dns_records.tries import Tries

if TYPE_CHECKING:
    from world.knot import KnotServer

PLAIN = Question(name="plain.staging.svc.cluster.local", kind="A")


def says_nothing(query: dns.message.Message) -> None:
    assert query.question


def name_server(text: str) -> NameServer:
    host, _, port = text.rpartition(":")
    return NameServer(family=socket.AF_INET, sockaddr=(host, int(port)), text=text)


def later(seconds: float = PATIENCE) -> float:
    return asyncio.get_running_loop().time() + seconds


@pytest.mark.parametrize("record", ["auto", "srv", "aaaa"])
async def test_a_server_that_says_nothing_is_a_timeout(record: str) -> None:
    async with responder(says_nothing) as silent:
        with pytest.raises(LookupTimeoutError, match=f"{silent} did not answer over UDP") as failed:
            await search("shop.example", server=silent, record=record, seconds=0.3)
    assert "shop.example" in failed.value.message
    assert "-o tcp=true" in failed.value.remedy


async def test_a_server_that_accepts_and_says_nothing_is_a_timeout_over_tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(LookupTimeoutError, match=f"{server} did not answer over TCP") as failed:
            await search("shop.example", server=server, tcp="true", seconds=0.3)
    assert "tcp=true" not in failed.value.remedy


async def test_all_lookups_of_a_search_share_one_deadline() -> None:
    """60 targets that nobody gives an address for do not take 60 times as long."""

    def services_only(query: dns.message.Message) -> bytes | None:
        if query.question[0].rdtype != dns.rdatatype.SRV:
            return None
        pods = [f"shop.example. SRV 0 0 9100 pod-{number}.example." for number in range(60)]
        return answering(*pods)(query)

    async with responder(services_only) as server:
        with pytest.raises(LookupTimeoutError, match="pod-"):
            async with asyncio.timeout(PATIENCE):
                await search("shop.example", server=server, seconds=1.0)


@pytest.mark.parametrize("tcp", ["false", "true"])
async def test_a_closed_port_is_no_timeout(tcp: str) -> None:
    server = f"127.0.0.1:{free_port()}"
    with pytest.raises(LookupFailedError, match="refused") as failed:
        await search("shop.example", server=server, tcp=tcp)
    assert not isinstance(failed.value, LookupTimeoutError)


async def test_a_server_that_hangs_up_over_tcp_is_no_timeout() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listener:
        server = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        with pytest.raises(LookupFailedError, match="hung up without an answer"):
            await search("shop.example", server=server, tcp="true")


async def test_a_lost_question_is_asked_again() -> None:
    asked: list[dns.message.Message] = []
    answer = answering("plain.staging.svc.cluster.local. A 10.3.3.2")

    def second_time_lucky(query: dns.message.Message) -> bytes | None:
        asked.append(query)
        return answer(query) if len(asked) > 1 else None

    async with responder(second_time_lucky) as server:
        tries = Tries([name_server(server)], tcp=False, seconds=0.5)
        found = await Resolver(tries).lookup(PLAIN, until=later())
    assert found.addresses == ("10.3.3.2",)


async def test_a_silent_first_server_leaves_it_to_the_second(knot: KnotServer) -> None:
    async with responder(says_nothing) as silent:
        servers = [name_server(silent), name_server(f"127.0.0.1:{knot.port}")]
        tries = Tries(servers, tcp=False, seconds=0.5)
        found = await Resolver(tries).lookup(PLAIN, until=later())
    assert sorted(found.addresses) == ["10.3.3.10", "10.3.3.2"]
    assert found.server == f"127.0.0.1:{knot.port}"


async def test_a_server_that_refuses_leaves_it_to_the_next(knot: KnotServer) -> None:
    servers = [name_server(f"127.0.0.1:{port}") for port in (free_port(), knot.port)]
    found = await Resolver(Tries(servers, tcp=False, seconds=PATIENCE)).lookup(PLAIN, until=later())
    assert found.addresses


async def test_every_address_of_the_servers_name_is_tried(knot: KnotServer) -> None:
    """localhost is ::1 too, where this knotd does not listen."""
    found = await search("plain.staging.svc.cluster.local", server=f"localhost:{knot.port}")
    assert len(found) == 2


async def test_all_servers_that_failed_are_named(knot: KnotServer) -> None:
    async with responder(says_nothing) as silent:
        servers = [name_server(silent), name_server(f"127.0.0.1:{knot.port}")]
        tries = Tries(servers, tcp=False, seconds=0.3)
        with pytest.raises(LookupFailedError) as failed:
            await Resolver(tries).lookup(
                Question(name="shop.broken.test", kind="SRV"), until=later(0.3)
            )
    assert f"{silent} did not answer" in failed.value.message
    assert f"127.0.0.1:{knot.port} answered SERVFAIL" in failed.value.message
    assert not isinstance(failed.value, LookupTimeoutError)
