"""What a user finds with ``-b dns`` at a real name server; SRV records in any order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from backends.dns.responder import responder
from backends.dns.searching import RecordingSession, names_and_places, search
from backends.dns.zones import MANY
from hypothesis import given
from hypothesis import strategies as some

from erlconnect.api import LookupFailedError, NameNotFoundError, NoNodeFoundError, UsageError
from erlconnect_backends.dns.backend import hosts_of, service_of
from erlconnect_backends.dns.resolver import ServiceRecord

if TYPE_CHECKING:
    import dns.message

POD = "{}.shop.staging.svc.cluster.local"


async def test_a_port_of_a_headless_service_is_the_distributions(server: str) -> None:
    found = await search("_dist._tcp.shop.staging.svc.cluster.local", server=server)
    assert names_and_places(found) == [
        (f"@{POD.format('10-3-2-1')}", "10.3.2.1", 9100),
        (f"@{POD.format('10-3-2-2')}", "10.3.2.2", 9100),
        (f"@{POD.format('10-3-2-3')}", "10.3.2.3", 9100),
    ]
    assert {each.epmd_port for each in found} == {4369}


async def test_the_epmd_service_gives_epmds_port_unless_it_is_0(server: str) -> None:
    found = await search("_epmd._tcp.shop.staging.svc.cluster.local", server=server)
    assert [(each.address, each.epmd_port) for each in found] == [
        ("10.3.2.1", 4369),
        ("10.3.2.2", 4370),
        ("10.3.2.3", 4369),
    ]
    assert [each.dist_port for each in found] == [None] * 3


async def test_two_ports_of_three_pods_are_three_targets_and_epmd_decides(server: str) -> None:
    found = await search("shop.staging.svc.cluster.local", server=server, basename="shop")
    assert names_and_places(found) == [
        (f"shop@{POD.format('10-3-2-1')}", "10.3.2.1", None),
        (f"shop@{POD.format('10-3-2-2')}", "10.3.2.2", None),
        (f"shop@{POD.format('10-3-2-3')}", "10.3.2.3", None),
    ]
    assert {each.facts["ports"] for each in found} == {"4369, 9100"}


@pytest.mark.parametrize(
    ("service", "dist_port"), [("web", 4000), ("zero", None), ("mapper", None), ("half", 9100)]
)
async def test_only_a_port_that_may_be_the_distributions_is_taken_for_it(
    server: str, service: str, dist_port: int | None
) -> None:
    (found,) = await search(f"{service}.staging.svc.cluster.local", server=server)
    assert (found.dist_port, found.epmd_port) == (dist_port, 4369)


async def test_the_order_is_priority_then_weight_then_name(server: str) -> None:
    found = await search("ranked.cluster.local", server=server)
    assert [each.facts["label"] for each in found] == ["heavy-a", "heavy-b", "light", "last"]


async def test_the_facts_are_the_fields_of_node_templates(server: str) -> None:
    found = await search("_dist._tcp.shop.staging.svc.cluster.local.", server=server)
    assert found[0].facts == {
        "record": "SRV",
        "service": "shop.staging.svc.cluster.local",
        "target": POD.format("10-3-2-1"),
        "label": "10-3-2-1",
        "ports": "9100",
        "priority": "0",
        "weight": "33",
    }
    (address, _) = await search("plain.staging.svc.cluster.local", server=server)
    assert address.facts == {"record": "A", "service": "plain.staging.svc.cluster.local"}


@pytest.mark.parametrize("tcp", ["false", "true"])
async def test_an_answer_too_long_for_udp_is_read_whole(server: str, tcp: str) -> None:
    found = await search("crowd.crowd.test", server=server, tcp=tcp)
    assert len({each.address for each in found}) == MANY


async def test_a_name_without_srv_records_leads_to_its_addresses(server: str) -> None:
    found = await search("plain.staging.svc.cluster.local", server=server, basename="app")
    assert names_and_places(found) == [
        ("app@10.3.3.2", "10.3.3.2", None),
        ("app@10.3.3.10", "10.3.3.10", None),
    ]


async def test_addresses_of_version_6_alone(server: str) -> None:
    found = await search("six.staging.svc.cluster.local", server=server, basename="app")
    assert [str(each.node) for each in found] == [
        "app@fd12:34::1",
        "app@fd12:34::2",
        "app@fd12:34::3",
    ]


@pytest.mark.parametrize(
    ("record", "places"),
    [
        ("auto", ["10.3.4.2", "fd12:34::42"]),
        ("srv", ["10.3.4.2", "fd12:34::42"]),
        ("a", ["10.3.4.1"]),
        ("aaaa", ["fd12:34::41"]),
    ],
)
async def test_record_chooses_what_is_asked_for(
    server: str, record: str, places: list[str]
) -> None:
    found = await search("both.staging.svc.cluster.local", server=server, record=record)
    assert [each.address for each in found] == places


async def test_addresses_that_do_not_come_along_are_looked_up(server: str) -> None:
    found = await search("far.directory.test", server=server)
    assert names_and_places(found) == [
        ("@one.machines.test", "10.5.0.1", 9100),
        ("@two.machines.test", "10.5.0.2", 9100),
        ("@two.machines.test", "fd12:34::52", 9100),
    ]


@pytest.mark.parametrize(
    ("service", "node", "address"),
    [
        ("aliased", "alias.machines.test", "10.5.0.1"),
        ("abroad", "abroad.machines.test", "10.6.0.1"),
        ("numeric", "10.7.7.7", "10.7.7.7"),
    ],
)
async def test_targets_that_are_aliases_or_addresses(
    server: str, service: str, node: str, address: str
) -> None:
    (found,) = await search(f"{service}.directory.test", server=server)
    assert (found.node.host, found.address) == (node, address)


async def test_an_alias_of_the_service_is_followed(server: str) -> None:
    assert len(await search("nickname.directory.test", server=server)) == 3


async def test_a_target_without_an_address_is_left_out_with_a_warning(server: str) -> None:
    session = RecordingSession()
    (found,) = await search("partly.directory.test", server=server, session=session)
    assert found.address == "10.5.0.1"
    (warning,) = session.warnings
    assert "gone.machines.test" in warning
    assert "bare.machines.test" in warning


async def test_a_target_that_no_node_can_be_called_after_is_left_out(server: str) -> None:
    session = RecordingSession()
    (found,) = await search("strange.directory.test", server=server, session=session)
    assert found.address == "10.5.0.1"
    assert "cannot be the host of a node" in session.warnings[0]


async def test_no_target_with_an_address_is_an_error(server: str) -> None:
    with pytest.raises(NoNodeFoundError, match=r"gone\.machines\.test.*does not exist") as failed:
        await search("nowhere.directory.test", server=server)
    assert type(failed.value) is NoNodeFoundError


async def test_a_failed_lookup_of_the_last_target_is_a_failed_lookup(server: str) -> None:
    with pytest.raises(LookupFailedError, match=r"pod\.broken\.test.*SERVFAIL"):
        await search("unknown.directory.test", server=server)


async def test_a_service_that_is_not_available_is_not_looked_for_by_address(server: str) -> None:
    with pytest.raises(NoNodeFoundError, match="not available"):
        await search("stopped.staging.svc.cluster.local", server=server)


@pytest.mark.parametrize("name", ["absent.cluster.local", "_epmd._tcp.absent.cluster.local"])
@pytest.mark.parametrize("record", ["auto", "srv", "a", "aaaa"])
async def test_nxdomain_is_a_name_that_does_not_exist(server: str, name: str, record: str) -> None:
    with pytest.raises(NameNotFoundError, match="NXDOMAIN") as failed:
        await search(name, server=server, record=record)
    assert name in failed.value.message
    assert server in failed.value.message
    assert "whole name" in failed.value.remedy


@pytest.mark.parametrize(
    ("record", "asked"), [("auto", "A and AAAA"), ("srv", "SRV"), ("a", "A"), ("aaaa", "AAAA")]
)
async def test_a_name_without_records_is_no_node_and_no_missing_name(
    server: str, record: str, asked: str
) -> None:
    name = "waiting.staging.svc.cluster.local"
    with pytest.raises(NoNodeFoundError, match=f"{asked} of {name}.*the name exists") as failed:
        await search(name, server=server, record=record)
    assert type(failed.value) is NoNodeFoundError
    assert "ready" in failed.value.remedy


async def test_the_name_of_a_service_port_has_no_addresses(server: str) -> None:
    with pytest.raises(NoNodeFoundError, match="SRV"):
        await search("_dist._tcp.waiting.staging.svc.cluster.local", server=server)


async def test_an_address_that_nobody_has_is_no_node(server: str) -> None:
    with pytest.raises(NoNodeFoundError, match=r"0\.0\.0\.0"):
        await search("hidden.staging.svc.cluster.local", server=server)


@pytest.mark.parametrize("record", ["auto", "srv", "a"])
@pytest.mark.parametrize(
    ("name", "code"), [("shop.broken.test", "SERVFAIL"), ("shop.elsewhere.test", "REFUSED")]
)
async def test_servfail_and_refused_are_failed_lookups(
    server: str, name: str, code: str, record: str
) -> None:
    with pytest.raises(LookupFailedError, match=f"{name}: {server} answered {code}") as failed:
        await search(name, server=server, record=record)
    assert "-o server=" in failed.value.remedy


@pytest.mark.parametrize(
    "target",
    [
        "",
        ".",
        "app@shop.example",
        "10.3.2.1",
        "fd12:34::2",
        "shop.example:4369",
        "two words",
        "shop..example",
        "deploy/shop",
        "x" * 64 + ".example",
        ".".join(["label"] * 60),
        "shop\n.example",
        "shop\\.example",
    ],
)
async def test_rubbish_is_a_usage_error_before_anybody_is_asked(target: str) -> None:
    with pytest.raises(UsageError) as refused:
        await search(target, server="127.0.0.1:1")
    assert "-b fixed" in refused.value.remedy


def open_files() -> list[str]:
    return sorted(entry.name for entry in Path("/dev/fd").iterdir())


async def test_a_cancelled_search_leaves_no_socket_behind() -> None:
    asked = asyncio.Event()

    def says_nothing(query: dns.message.Message) -> None:
        assert query.question
        asked.set()

    async with responder(says_nothing) as server:
        before = open_files()
        async with asyncio.TaskGroup() as tasks:
            searching = tasks.create_task(search("shop.example", server=server))
            await asked.wait()
            assert open_files() != before
            searching.cancel()
        assert searching.cancelled()
        assert open_files() == before


RECORDS = some.lists(
    some.builds(
        ServiceRecord,
        priority=some.integers(0, 2),
        weight=some.integers(0, 2),
        port=some.sampled_from([0, 4369, 9100, 9101]),
        target=some.sampled_from(["", "a.example", "A.example", "b.example", "c.example"]),
    ),
    max_size=12,
)


@given(records=RECORDS, data=some.data())
def test_the_order_of_the_answer_does_not_matter(
    records: list[ServiceRecord], data: some.DataObject
) -> None:
    assert hosts_of(records) == hosts_of(data.draw(some.permutations(records)))


@given(records=RECORDS)
def test_each_host_is_there_once_with_all_its_ports(records: list[ServiceRecord]) -> None:
    wanted: dict[str, set[int]] = {}
    for record in records:
        if record.target:
            ports = wanted.setdefault(record.target.lower(), set())
            ports |= {record.port} - {0}
    hosts = hosts_of(records)
    assert {host.target.lower(): set(host.ports) for host in hosts} == wanted
    assert len(hosts) == len(wanted)
    assert all(len(host.ports) == len(set(host.ports)) for host in hosts)


@given(records=RECORDS)
def test_no_host_stands_before_a_better_one(records: list[ServiceRecord]) -> None:
    places = [(host.priority, -host.weight) for host in hosts_of(records)]
    assert places == sorted(places)


def test_the_service_is_what_stands_behind_the_two_labels() -> None:
    assert service_of("_epmd._tcp.shop.svc") == "shop.svc"
    assert service_of("_shop._primary.service.consul") == "service.consul"
    for bare in ("shop.svc", "_shop.svc", "shop._tcp.svc", "_epmd._tcp"):
        assert service_of(bare) is None
