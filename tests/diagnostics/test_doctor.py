"""What phases, flags and releases mean, without any node."""

from __future__ import annotations

import pytest

from erlconnect.api import NodeName, Target
from erlconnect.diagnostics.otp_releases import minor_of, refuse_each_other, release_by_flags
from erlconnect.diagnostics.remote_steps import ConnectFailure, remedy_of, steps_failed
from erlconnect.diagnostics.steps import Report, Step, StepName, StepTimer
from erlconnect.distribution.flags import PROBE_FLAGS
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


def phase(name: str, error: Exception | None = None) -> Span:
    return Span(name=name, detail="", seconds=0.5, error=error)


def lost(error: ErlconnectError, *phases: Span) -> dict[str, str]:
    steps = list(steps_failed(phases, ConnectFailure(error=error, target=TARGET)))
    assert [step.name for step in steps] == ["tunnel", "remote-epmd", "port", "handshake"]
    return {str(step.name): str(step.status) for step in steps}


def test_the_step_that_failed_is_the_one_whose_error_it_is() -> None:
    assert lost(CLOSED, phase("transport"), phase("connect", CLOSED)) == {
        "tunnel": "ok",
        "remote-epmd": "skipped",
        "port": "failed",
        "handshake": "skipped",
    }


def test_an_epmd_that_was_asked_in_vain_besides_is_a_note() -> None:
    phases = [
        phase("transport"),
        phase("connect"),
        phase("status", ValueError()),
        phase("probe", MUTE),
        phase("epmd", LOST),
    ]
    assert lost(MUTE, *phases) == {
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
    assert lost(CLOSED, *phases)["port"] == "failed"
    assert lost(MUTE, *phases)["handshake"] == "failed"


def test_an_error_made_of_others_belongs_to_the_first_of_them() -> None:
    together = UnreachableError("none of 2 targets answered", remedy="")
    together.__cause__ = CLOSED
    assert lost(together, phase("transport"), phase("connect", CLOSED))["port"] == "failed"


def test_an_error_of_no_phase_belongs_to_the_tunnel() -> None:
    assert lost(RefusedError("no", remedy=""))["tunnel"] == "failed"


@pytest.mark.parametrize(
    ("one", "other", "refused"),
    [
        (23, 25, False),
        (25, 29, False),
        (27, 29, False),
        (23, 27, True),
        (29, 23, True),
        (24, 27, False),
        (22, 25, True),
        (22, 23, False),
    ],
)
def test_who_refuses_whom(one: int, other: int, *, refused: bool) -> None:
    assert refuse_each_other(one, other) is refused
    assert refuse_each_other(other, one) is refused


@pytest.mark.parametrize(
    ("flags", "releases"),
    [
        (0x101DF7FBD, "23"),
        (0xD07DF7FBD, "25 to 27"),
        (0x2D07DF7FBD, "28"),
        (0x6D07DF7FBD, "29 or newer"),
        (0, ""),
    ],
)
def test_flags_tell_releases(flags: int, releases: str) -> None:
    assert release_by_flags(flags) == releases


def test_what_an_own_connection_claims_is_no_release() -> None:
    """It says what every release needs to hear."""
    assert PROBE_FLAGS & 1 == 0


def test_minor_versions() -> None:
    assert minor_of("1.14.0") == minor_of("1.14.5-rc.1") == "1.14"


SILENT = TimedOutError("x did not accept a connection within 3 s", remedy="wait")
NO_ROUTE = UnreachableError("x: no route to that host", remedy="wait")
REFUSED = UnreachableError("x: refused the connection", remedy="wait")


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


def test_the_first_failure_gives_the_exit_code() -> None:
    added: list[Step] = []
    report = Report(added.append)
    report.add(StepTimer(StepName.DISCOVERY).ok("found"))
    assert report.exit_code == 0
    report.skip([StepName.RIGHTS], "why not")
    report.add(StepTimer(StepName.PORT).failed(CLOSED))
    report.add(StepTimer(StepName.COOKIE).failed(RefusedError("no", remedy="")))
    assert report.exit_code == 69
    assert added == report.steps
    assert [str(step.status) for step in added] == ["ok", "skipped", "failed", "failed"]
