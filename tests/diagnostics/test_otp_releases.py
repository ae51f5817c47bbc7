"""What flags and versions tell of a release, without any node."""

from __future__ import annotations

import pytest

from erlconnect.diagnostics.otp_releases import minor_of, refuse_each_other, release_by_flags
from erlconnect.distribution.flags import PROBE_FLAGS


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
