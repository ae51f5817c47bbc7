"""Node names by template."""

from __future__ import annotations

import pytest

from erlconnect.api import NodeName, Query, Target
from erlconnect.errors import UsageError
from erlconnect.session.templates import render_node

QUERY = Query(service="_x._tcp.shop.internal")


def target(name: str = "app", address: str = "10.3.2.1") -> Target:
    return Target(
        node=NodeName(name=name, host=address),
        address=address,
        facts={"target": "pod-0.shop.internal", "label": "pod-0", "service": "shop.internal"},
    )


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("shop@fixed.example", "shop@fixed.example"),
        ("{basename}@{target}", "app@pod-0.shop.internal"),
        ("{basename}@{ip}", "app@10.3.2.1"),
        ("{basename}@{dashed_ip}.shop.pod.cluster.local", "app@10-3-2-1.shop.pod.cluster.local"),
        ("{label}@{service}", "pod-0@shop.internal"),
    ],
)
def test_fields_come_from_the_target_and_the_query(template: str, expected: str) -> None:
    assert str(render_node(template, target(), QUERY)) == expected


def test_an_ipv6_address_gets_dashes_too() -> None:
    name = render_node("a@{dashed_ip}", target(address="fd12::2"), QUERY)
    assert name.host == "fd12--2"


def test_a_basename_that_only_epmd_knows_stays_empty() -> None:
    assert render_node("{basename}@{ip}", target(name=""), QUERY) == NodeName(
        name="", host="10.3.2.1"
    )


@pytest.mark.parametrize("template", ["app@{zone}", "app", "a b@host", "{basename}x@{nothing}"])
def test_what_cannot_be_rendered_names_the_fields_there_are(template: str) -> None:
    with pytest.raises(UsageError) as raised:
        render_node(template, target(), QUERY)
    assert "{dashed_ip}" in raised.value.remedy
