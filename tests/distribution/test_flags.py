from __future__ import annotations

import pytest

from erlconnect.distribution.flags import (
    PROBE_FLAGS,
    DistributionFlag,
    checks_fun_sizes,
    flag_names,
    hidden,
    missing_flags,
)

OTP_23 = 0x101DF7FBD
OTP_25 = 0xD07DF7FBD
OTP_29 = 0x6D07DF7FBD
# "Distributed flags" of the protocol chapter, as OTP 25 spells them.
NAMES_OF_OTP_25 = """
PUBLISHED EXTENDED_REFERENCES DIST_MONITOR FUN_TAGS DIST_MONITOR_NAME NEW_FUN_TAGS
EXTENDED_PIDS_PORTS EXPORT_PTR_TAG BIT_BINARIES NEW_FLOATS UNICODE_IO DIST_HDR_ATOM_CACHE
SMALL_ATOM_TAGS UTF8_ATOMS MAP_TAG BIG_CREATION SEND_SENDER BIG_SEQTRACE_LABELS
EXIT_PAYLOAD FRAGMENTS HANDSHAKE_23 UNLINK_ID MANDATORY_25_DIGEST SPAWN V4_NC ALIAS
"""


def test_flags_of_otp_25_have_their_names() -> None:
    assert flag_names(OTP_25) == NAMES_OF_OTP_25.split()


def test_what_otp_23_lacks_and_otp_29_adds() -> None:
    lacks = {"UNLINK_ID", "MANDATORY_25_DIGEST", "V4_NC", "ALIAS"}

    assert set(flag_names(OTP_25)) - set(flag_names(OTP_23)) == lacks
    assert flag_names(OTP_29 & ~OTP_25) == ["ALTACT_SIG", "NATIVE_RECORDS"]


def test_unknown_bits_have_numbers() -> None:
    assert flag_names(1 << 15 | 1 << 63) == ["bit 15", "bit 63"]
    assert flag_names(0) == []


@pytest.mark.parametrize("flags", [OTP_23, OTP_25, OTP_29, OTP_25 & ~1, 1 << 63 | 1])
def test_hidden_clears_published_and_nothing_else(flags: int) -> None:
    assert hidden(flags) | (flags & DistributionFlag.PUBLISHED) == flags
    assert not hidden(flags) & DistributionFlag.PUBLISHED


def test_a_knock_is_hidden_and_has_what_otp_27_demands() -> None:
    demanded = {"MANDATORY_25_DIGEST", "UNLINK_ID", "V4_NC", "HANDSHAKE_23"}

    assert demanded <= set(flag_names(PROBE_FLAGS))
    assert hidden(PROBE_FLAGS) == PROBE_FLAGS


def test_only_releases_before_25_may_check_the_size_of_a_fun() -> None:
    assert checks_fun_sizes(OTP_23)
    assert not checks_fun_sizes(OTP_25)
    assert not checks_fun_sizes(OTP_29)


def test_what_newer_nodes_miss_in_a_node_of_otp_23_has_names() -> None:
    assert missing_flags(OTP_25, OTP_23) == ["UNLINK_ID", "V4_NC"]
    assert missing_flags(OTP_23, OTP_25) == missing_flags(OTP_25, OTP_29) == []
