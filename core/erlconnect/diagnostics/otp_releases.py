"""Which OTP releases connect with each other, and which release a node's flags come from.

Measured with OTP 23, 25, 27 and 29. The rest follows from the flags that a release made mandatory:
OTP 25 those of OTP 23, and OTP 26 those of OTP 24. Source: "Distribution Flags" of the distribution
protocol, and OTP's ``dist.h``.
"""

from __future__ import annotations

from typing import Final

from erlconnect.distribution.flags import DistributionFlag

# From the newest on: a flag, and the releases that set it and none of those before.
_BY_FLAG: Final = (
    (DistributionFlag.NATIVE_RECORDS, "29 or newer"),
    (DistributionFlag.ALTACT_SIG, "28"),
    (DistributionFlag.MANDATORY_25_DIGEST, "25 to 27"),
    (DistributionFlag.ALIAS, "24"),
    (DistributionFlag.HANDSHAKE_23, "23"),
)


def release_by_flags(flags: int) -> str:
    """Return the OTP releases whose nodes send ``flags``; empty where none is known."""
    return next((releases for flag, releases in _BY_FLAG if flags & flag), "")


def refuse_each_other(one: int, other: int) -> bool:
    """Return whether nodes of these OTP releases refuse each other's handshake."""
    older, newer = sorted((one, other))
    return (newer >= 26 and older < 24) or (newer >= 25 and older < 23)  # noqa: PLR2004 - as above


def minor_of(version: str) -> str:
    """Return ``1.14`` of Elixir's ``1.14.0``."""
    return ".".join(version.split(".")[:2])
