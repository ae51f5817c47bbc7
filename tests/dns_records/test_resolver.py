"""DNS that lies: each lie is an error that names it, and none is dnspython's own exception."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from dns_records.responder import answering, responder
from dns_records.searching import Listener, search

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    NoNodeFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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
    session = Listener()
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

    session = Listener()
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

    session = Listener()
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
                await search("shop.example", server=server, record="srv", session=Listener())
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
