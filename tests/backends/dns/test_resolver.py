"""Servers that lie, are silent, gone or unable: each is an error of ours that names the server."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from backends.dns.responder import answering, responder
from backends.dns.searching import LIMIT_SECONDS, RecordingSession, search
from world.ports import free_port

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    NoNodeFoundError,
)
from erlconnect_backends.dns.resolver import Question, Resolver
from erlconnect_backends.do53 import ServerAddress

if TYPE_CHECKING:
    from collections.abc import Callable

    from world.knot import KnotServer

SERVFAIL, NXDOMAIN = dns.rcode.SERVFAIL, dns.rcode.NXDOMAIN
TWO = ("shop.example. SRV 0 0 9100 a.example.", "a.example. A 10.0.0.1")


def saying(code: dns.rcode.Rcode, query: dns.message.Message) -> bytes:
    response = dns.message.make_response(query)
    response.set_rcode(code)
    return response.to_wire()


def by_kind(srv: dns.rcode.Rcode, *addresses: str) -> Callable[[dns.message.Message], bytes | None]:
    """Say ``srv`` of SRV records; of the others give ``addresses``, or NXDOMAIN without any."""

    def reply(query: dns.message.Message) -> bytes | None:
        kind = query.question[0].rdtype
        if kind == dns.rdatatype.SRV:
            return saying(srv, query)
        if kind == dns.rdatatype.A and addresses:
            return answering(*addresses)(query)
        return saying(dns.rcode.NOERROR if addresses else NXDOMAIN, query)

    return reply


async def failure_of(
    reply: Callable[[dns.message.Message], bytes | None], *, record: str = "auto"
) -> ErlconnectError:
    async with responder(reply) as server:
        with pytest.raises(ErlconnectError) as failed:
            await search("shop.example", server=server, record=record)
    assert "shop.example" in failed.value.message
    assert server in failed.value.message
    return failed.value


async def test_missing_addresses_do_not_hide_that_the_srv_lookup_failed() -> None:
    error = await failure_of(by_kind(SERVFAIL))
    assert isinstance(error, LookupFailedError)
    assert "SRV shop.example" in error.message
    assert "SERVFAIL" in error.message


async def test_addresses_are_used_where_the_srv_lookup_failed_and_this_is_said() -> None:
    session = RecordingSession()
    async with responder(by_kind(SERVFAIL, "shop.example. A 10.0.0.1")) as server:
        (found,) = await search("shop.example", server=server, session=session)
    assert found.address == "10.0.0.1"
    assert "SERVFAIL" in session.warnings[0]


async def test_a_forwarder_that_knows_addresses_only_is_put_up_with() -> None:
    async with responder(by_kind(NXDOMAIN, "shop.example. A 10.0.0.1")) as server:
        (found,) = await search("shop.example", server=server)
        assert found.address == "10.0.0.1"
        with pytest.raises(NameNotFoundError):
            await search("_epmd._tcp.shop.example", server=server)


async def test_one_kind_of_address_does_not_wait_for_the_other_in_vain() -> None:
    def version_4_only(query: dns.message.Message) -> bytes | None:
        if query.question[0].rdtype == dns.rdatatype.AAAA:
            return saying(SERVFAIL, query)
        return by_kind(dns.rcode.NOERROR, "shop.example. A 10.0.0.1")(query)

    session = RecordingSession()
    async with responder(version_4_only) as server:
        (found,) = await search("shop.example", server=server, session=session)
    assert found.address == "10.0.0.1"
    assert "AAAA shop.example" in session.warnings[0]


async def test_a_host_is_used_with_half_of_its_addresses_and_this_is_said() -> None:
    def no_version_6(query: dns.message.Message) -> bytes | None:
        kind = query.question[0].rdtype
        if kind == dns.rdatatype.AAAA:
            return saying(SERVFAIL, query)
        return answering(TWO[0] if kind == dns.rdatatype.SRV else TWO[1])(query)

    session = RecordingSession()
    async with responder(no_version_6) as server:
        (found,) = await search("shop.example", server=server, session=session)
    assert found.address == "10.0.0.1"
    (warning,) = session.warnings
    assert "AAAA a.example" in warning


@pytest.mark.parametrize("record", ["srv", "a"])
async def test_records_of_another_name(record: str) -> None:
    error = await failure_of(answering("bank.example. A 10.6.6.6"), record=record)
    assert isinstance(error, LookupFailedError)
    assert "records that nobody asked for" in error.message


async def test_an_answer_to_another_question() -> None:
    def reply(query: dns.message.Message) -> bytes:
        other = dns.message.make_query("bank.example.", "A", id=query.id)
        return dns.message.make_response(other).to_wire()

    assert "to another question" in (await failure_of(reply)).message


async def test_a_question_in_place_of_an_answer() -> None:
    error = await failure_of(dns.message.Message.to_wire)
    assert "to another question" in error.message


async def test_a_loop_of_aliases_in_one_answer() -> None:
    loop = ("shop.example. CNAME pong.example.", "pong.example. CNAME shop.example.")
    error = await failure_of(answering(*loop), record="a")
    assert isinstance(error, LookupFailedError)
    assert "loop of aliases" in error.message


async def test_a_loop_of_aliases_over_several_answers() -> None:
    def reply(query: dns.message.Message) -> bytes:
        name = query.question[0].name.to_text()
        other = {"shop.example.": "pong.example.", "pong.example.": "shop.example."}[name]
        return answering(f"{name} CNAME {other}")(query)

    error = await failure_of(reply, record="srv")
    assert isinstance(error, LookupFailedError)
    assert "does not end" in error.message


async def test_aliases_without_an_end() -> None:
    def reply(query: dns.message.Message) -> bytes:
        name = query.question[0].name.to_text()
        return answering(f"{name} CNAME x{name}")(query)

    assert "does not end" in (await failure_of(reply, record="srv")).message


async def test_an_alias_of_a_name_that_does_not_exist() -> None:
    def reply(query: dns.message.Message) -> bytes:
        response = dns.message.from_wire(answering("shop.example. CNAME gone.example.")(query))
        response.set_rcode(NXDOMAIN)
        return response.to_wire()

    error = await failure_of(reply, record="a")
    assert isinstance(error, NameNotFoundError)
    assert "an alias of gone.example" in error.message


async def test_an_answer_for_a_name_that_it_says_does_not_exist() -> None:
    def reply(query: dns.message.Message) -> bytes:
        response = dns.message.from_wire(answering("shop.example. A 10.0.0.1")(query))
        response.set_rcode(NXDOMAIN)
        return response.to_wire()

    error = await failure_of(reply, record="a")
    assert type(error) is LookupFailedError


@pytest.mark.parametrize(
    "rest",
    [b"", b"\x84", b"\x84\x00", b"\x84\x00" + bytes(8), b"\x84\x00\x00\x01" + bytes(6) + b"\xff"],
)
async def test_packets_that_are_no_dns(rest: bytes) -> None:
    error = await failure_of(lambda query: query.to_wire()[:2] + rest)
    assert isinstance(error, LookupFailedError)
    assert "unusable answer" in error.message
    assert "tcp=true" in error.remedy


async def test_broken_copies_of_a_good_answer() -> None:
    """Whatever is broken in it, it is an answer, an error of ours, or silence."""
    dice = random.Random(2782)

    def reply(query: dns.message.Message) -> bytes:
        wire = bytearray(answering(TWO[0])(query))
        for _ in range(3):
            wire[dice.randrange(2, len(wire))] = dice.randrange(256)
        wire[2] &= ~0x02  # TC would lead on to TCP
        return bytes(wire[: dice.randrange(len(wire) // 2, len(wire) + 20)])

    outcomes = set()
    async with responder(reply) as server:
        for _ in range(200):
            try:
                await search(
                    "shop.example", server=server, record="srv", session=RecordingSession()
                )
            except (LookupFailedError, NoNodeFoundError) as error:
                outcomes.add(type(error))
    assert LookupFailedError in outcomes
    assert LookupTimeoutError not in outcomes


async def test_cut_over_udp_and_nobody_at_tcp() -> None:
    def cut(query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.TC
        return response.to_wire()

    error = await failure_of(cut)
    assert "could not be asked over TCP" in error.message


PLAIN = Question(name="plain.staging.svc.cluster.local", kind="A")


def says_nothing(query: dns.message.Message) -> None:
    assert query.question


def name_server(text: str) -> ServerAddress:
    host, _, port = text.rpartition(":")
    return ServerAddress(family=socket.AF_INET, sockaddr=(host, int(port)), text=text)


def later(seconds: float = LIMIT_SECONDS) -> float:
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
            async with asyncio.timeout(LIMIT_SECONDS):
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
        resolver = Resolver([name_server(server)], tcp=False, seconds=0.5)
        found = await resolver.lookup(PLAIN, until=later())
    assert found.addresses == ("10.3.3.2",)


async def test_a_clock_that_is_set_back_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([1_000_000.0])
    monkeypatch.setattr(time, "time", lambda: next(readings, 10_000.0))
    answer = answering("plain.staging.svc.cluster.local. A 10.3.3.2")
    async with responder(answer) as server:
        resolver = Resolver([name_server(server)], tcp=False, seconds=LIMIT_SECONDS)
        found = await resolver.lookup(PLAIN, until=later())
    assert found.addresses == ("10.3.3.2",)


async def test_a_silent_first_server_leaves_it_to_the_second(knot: KnotServer) -> None:
    async with responder(says_nothing) as silent:
        servers = [name_server(silent), name_server(f"127.0.0.1:{knot.port}")]
        resolver = Resolver(servers, tcp=False, seconds=0.5)
        found = await resolver.lookup(PLAIN, until=later())
    assert sorted(found.addresses) == ["10.3.3.10", "10.3.3.2"]
    assert found.server == f"127.0.0.1:{knot.port}"


async def test_a_server_that_refuses_leaves_it_to_the_next(knot: KnotServer) -> None:
    servers = [name_server(f"127.0.0.1:{port}") for port in (free_port(), knot.port)]
    resolver = Resolver(servers, tcp=False, seconds=LIMIT_SECONDS)
    found = await resolver.lookup(PLAIN, until=later())
    assert found.addresses


async def test_every_address_of_the_servers_name_is_tried(knot: KnotServer) -> None:
    """localhost is ::1 too, where this knotd does not listen."""
    found = await search("plain.staging.svc.cluster.local", server=f"localhost:{knot.port}")
    assert len(found) == 2


async def test_all_servers_that_failed_are_named(knot: KnotServer) -> None:
    async with responder(says_nothing) as silent:
        servers = [name_server(silent), name_server(f"127.0.0.1:{knot.port}")]
        resolver = Resolver(servers, tcp=False, seconds=0.3)
        question = Question(name="shop.broken.test", kind="SRV")
        with pytest.raises(LookupFailedError) as failed:
            await resolver.lookup(question, until=later(0.3))
    assert f"{silent} did not answer" in failed.value.message
    assert f"127.0.0.1:{knot.port} answered SERVFAIL" in failed.value.message
    assert not isinstance(failed.value, LookupTimeoutError)
