"""Which step a failed connection stopped at, and what helps, without any node."""

from __future__ import annotations

import pytest

from erlconnect.api import NodeName, Target
from erlconnect.diagnostics.remote_steps import ConnectFailure, remedy_of, steps_failed
from erlconnect.errors import (
    EpmdError,
    ErlconnectError,
    NotDistributionError,
    RefusedError,
    TimedOutError,
    UnreachableError,
)
from erlconnect.proxy.timing import Span

TARGET = Target(node=NodeName.parse("app@10.3.2.1"), address="10.3.2.1")
CLOSED = UnreachableError("closed", remedy="open it")
MUTE = NotDistributionError("no node", remedy="look")
LOST = EpmdError("no epmd", remedy="start one")
SILENT = TimedOutError("x did not accept a connection within 3 s", remedy="wait")
NO_ROUTE = UnreachableError("x: no route to that host", remedy="wait")
REFUSED = UnreachableError("x: refused the connection", remedy="wait")


def phase(name: str, error: Exception | None = None) -> Span:
    return Span(name=name, detail="", seconds=0.5, error=error)


def failed(error: ErlconnectError, *phases: Span) -> dict[str, str]:
    steps = list(steps_failed(phases, ConnectFailure(error=error, target=TARGET)))
    assert [step.name for step in steps] == ["tunnel", "remote-epmd", "port", "handshake"]
    return {str(step.name): str(step.status) for step in steps}


def test_the_step_that_failed_is_the_one_whose_error_it_is() -> None:
    assert failed(CLOSED, phase("transport"), phase("connect", CLOSED)) == {
        "tunnel": "ok",
        "remote-epmd": "skipped",
        "port": "failed",
        "handshake": "skipped",
    }


def test_an_epmd_that_did_not_answer_besides_is_a_note() -> None:
    phases = [
        phase("transport"),
        phase("connect"),
        phase("status", ValueError()),
        phase("probe", MUTE),
        phase("epmd", LOST),
    ]
    assert failed(MUTE, *phases) == {
        "tunnel": "ok",
        "remote-epmd": "note",
        "port": "ok",
        "handshake": "failed",
    }


def test_the_first_of_several_transports_is_told_of_by_its_own_phases() -> None:
    phases = [
        phase("transport"),
        phase("connect", CLOSED),
        phase("transport"),
        phase("connect"),
        phase("probe", MUTE),
    ]
    assert failed(CLOSED, *phases)["port"] == "failed"
    assert failed(MUTE, *phases)["handshake"] == "failed"


def test_an_error_made_of_others_belongs_to_the_first_of_them() -> None:
    together = UnreachableError("none of 2 targets answered", remedy="")
    together.__cause__ = CLOSED
    assert failed(together, phase("transport"), phase("connect", CLOSED))["port"] == "failed"


def test_an_error_of_no_phase_belongs_to_the_tunnel() -> None:
    assert failed(RefusedError("no", remedy=""))["tunnel"] == "failed"


def at(address: str) -> Target:
    return Target(node=NodeName.parse("app@10.3.2.1"), address=address)


@pytest.mark.parametrize("address", ["10.3.2.1", "fd12::7", "shop.railway.internal"])
@pytest.mark.parametrize("error", [SILENT, NO_ROUTE])
def test_a_private_address_that_nothing_leads_to(address: str, error: ErlconnectError) -> None:
    remedy = remedy_of(error, at(address), "direct")
    assert "VPN" in remedy
    assert "--via" in remedy


@pytest.mark.parametrize(
    ("error", "address", "transport"),
    [
        (SILENT, "127.0.0.1", "direct"),
        (SILENT, "8.8.8.8", "direct"),
        (REFUSED, "10.3.2.1", "direct"),
        (SILENT, "10.3.2.1", "kubernetes-port-forward"),
        (LOST, "127.0.0.1", "direct"),
        (MUTE, "10.3.2.1", "direct"),
    ],
)
def test_elsewhere_the_error_keeps_its_remedy(
    error: ErlconnectError, address: str, transport: str
) -> None:
    assert remedy_of(error, at(address), transport) == error.remedy
