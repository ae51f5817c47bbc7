"""Aliases in the form of the local node, and caller names that are stable and bounded."""

from __future__ import annotations

import pytest

from erlconnect.api import NodeName
from erlconnect.session.names import CallerNames, alias_for, alias_forms

CALLERS = CallerNames(epmd_port=4369, slot=0)


@pytest.mark.parametrize(
    ("local_node", "alias"),
    [
        ("dev@127.0.0.1", "shop@127.0.0.1"),
        ("dev@host.example", "shop@127.0.0.1"),
        ("dev@laptop", "shop@localhost"),
        ("dev@::1", "shop@::1"),
        ("127.0.0.1", "shop@127.0.0.1"),
        ("laptop", "shop@localhost"),
    ],
)
def test_the_alias_is_one_that_the_local_node_can_dial(local_node: str, alias: str) -> None:
    assert alias_for("shop", local_node) == alias
    assert alias in alias_forms("shop")


def test_a_caller_name_is_the_same_after_a_reconnect() -> None:
    again = CallerNames(epmd_port=4369, slot=0)
    assert CALLERS.of("dev@127.0.0.1", long=True) == again.of("dev@127.0.0.1", long=True)


@pytest.mark.parametrize(
    "other",
    [
        CallerNames(epmd_port=4370, slot=0).of("dev@127.0.0.1", long=True),
        CallerNames(epmd_port=4369, slot=1).of("dev@127.0.0.1", long=True),
        CALLERS.of("dev@laptop", long=True),
        CALLERS.for_probe(long=True),
    ],
)
def test_it_differs_by_epmd_session_and_local_node(other: str) -> None:
    assert CALLERS.of("dev@127.0.0.1", long=True) != other


def test_it_is_a_node_name_that_never_resolves() -> None:
    name = NodeName.parse(CALLERS.of("dev@127.0.0.1", long=True))
    assert name.host == "erlconnect.invalid"
    assert name.name.startswith("dev-")
    assert len(name.name.rpartition("-")[2]) == 8
    assert CALLERS.of("dev@127.0.0.1", long=False).endswith("@invalid")


def test_however_long_the_local_name_it_fits_an_atom() -> None:
    assert NodeName.parse(CALLERS.of("d" * 240 + "@127.0.0.1", long=True))


def test_a_fixed_name_is_taken_as_it_is() -> None:
    callers = CallerNames(epmd_port=1, slot=0, fixed="ops@allowed.example")
    assert callers.of("dev@127.0.0.1", long=True) == "ops@allowed.example"
    assert callers.for_probe(long=True) == "ops@allowed.example"
    assert CallerNames(epmd_port=1, slot=0, fixed="ops").of("x@y", long=False) == "ops@invalid"
