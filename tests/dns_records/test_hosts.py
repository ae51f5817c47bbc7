"""What SRV records mean, whatever their order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from erlconnect_backends.dns_records.hosts import hosts_of, service_of
from erlconnect_backends.dns_records.records import ServiceRecord

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
