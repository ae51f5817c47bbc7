"""The capability flags (DFLAG_*) that two nodes exchange in the handshake.

Source: "Distribution Flags" in the Erlang Distribution Protocol, and OTP's ``dist.h`` where the
chapter is silent. Unknown bits are kept: the effective set is the AND of both sides, and a relay
that masked a bit it does not know would take a feature away from both.
"""

from __future__ import annotations

from enum import KEEP, IntFlag
from typing import Final


class DistributionFlag(IntFlag, boundary=KEEP):
    """One bit each; the text beside it says what a node claims by setting it."""

    PUBLISHED = 0x1  # is published and part of the global namespace
    ATOM_CACHE = 0x2  # implements the first, obsolete atom cache
    EXTENDED_REFERENCES = 0x4  # implements references of three 32-bit words
    DIST_MONITOR = 0x8  # implements distributed process monitoring
    FUN_TAGS = 0x10  # uses a tag of their own for funs
    DIST_MONITOR_NAME = 0x20  # implements distributed monitoring of registered names
    HIDDEN_ATOM_CACHE = 0x40  # the obsolete atom cache of hidden nodes
    NEW_FUN_TAGS = 0x80  # understands NEW_FUN_EXT
    EXTENDED_PIDS_PORTS = 0x100  # handles extended pids and ports
    EXPORT_PTR_TAG = 0x200  # understands EXPORT_EXT
    BIT_BINARIES = 0x400  # understands BIT_BINARY_EXT
    NEW_FLOATS = 0x800  # understands NEW_FLOAT_EXT
    UNICODE_IO = 0x1000  # its I/O protocol may carry Unicode
    DIST_HDR_ATOM_CACHE = 0x2000  # implements the atom cache of the distribution header
    SMALL_ATOM_TAGS = 0x4000  # understands SMALL_ATOM_EXT
    UTF8_ATOMS = 0x10000  # understands UTF-8 atoms
    MAP_TAG = 0x20000  # understands MAP_EXT
    BIG_CREATION = 0x40000  # understands 32-bit creations (NEW_PID_EXT and its kin)
    SEND_SENDER = 0x80000  # uses SEND_SENDER instead of SEND
    BIG_SEQTRACE_LABELS = 0x100000  # understands any term as a sequential trace label
    EXIT_PAYLOAD = 0x400000  # carries exit reasons in the payload
    FRAGMENTS = 0x800000  # uses fragments for large messages
    HANDSHAKE_23 = 0x1000000  # understands the 'N' handshake of OTP 23
    UNLINK_ID = 0x2000000  # uses the link protocol with unlink identifiers
    MANDATORY_25_DIGEST = 0x4000000  # stands for all flags that OTP 25 made mandatory
    SPAWN = 1 << 32  # understands SPAWN_REQUEST and SPAWN_REPLY
    NAME_ME = 1 << 33  # has no name yet and asks the other side for one
    V4_NC = 1 << 34  # accepts a larger range of pid, port and reference data
    ALIAS = 1 << 35  # understands process aliases
    LOCAL_EXT = 1 << 36  # internal to term_to_binary; no node sends it
    ALTACT_SIG = 1 << 37  # understands the alternative action signals of OTP 28
    NATIVE_RECORDS = 1 << 38  # understands native records, from OTP 29


# What a knock claims: enough for every OTP from 23 on, never PUBLISHED. The knock ends before
# any term is exchanged, so that no claim has to be kept.
PROBE_FLAGS: Final = int(
    DistributionFlag.EXTENDED_REFERENCES
    | DistributionFlag.FUN_TAGS
    | DistributionFlag.NEW_FUN_TAGS
    | DistributionFlag.EXTENDED_PIDS_PORTS
    | DistributionFlag.EXPORT_PTR_TAG
    | DistributionFlag.BIT_BINARIES
    | DistributionFlag.NEW_FLOATS
    | DistributionFlag.UTF8_ATOMS
    | DistributionFlag.MAP_TAG
    | DistributionFlag.BIG_CREATION
    | DistributionFlag.HANDSHAKE_23
    | DistributionFlag.UNLINK_ID
    | DistributionFlag.MANDATORY_25_DIGEST
    | DistributionFlag.V4_NC
)
# What our own client claims: what it keeps, so that it reads fragments and no atom cache.
CLIENT_FLAGS: Final = PROBE_FLAGS | int(
    DistributionFlag.DIST_MONITOR
    | DistributionFlag.DIST_MONITOR_NAME
    | DistributionFlag.UNICODE_IO
    | DistributionFlag.SMALL_ATOM_TAGS
    | DistributionFlag.SEND_SENDER
    | DistributionFlag.BIG_SEQTRACE_LABELS
    | DistributionFlag.EXIT_PAYLOAD
    | DistributionFlag.FRAGMENTS
    | DistributionFlag.SPAWN
    | DistributionFlag.ALIAS
)


def hidden(flags: int) -> int:
    """Return ``flags`` without PUBLISHED: a node that sends these is hidden to the other."""
    return flags & ~int(DistributionFlag.PUBLISHED)


def checks_fun_sizes(flags: int) -> bool:
    """Return whether a node with ``flags`` may check the Size of a NEW_FUN_EXT.

    OTP 23 ends the link over one that reaches beyond its message; 25 and later step over it.
    """
    return not flags & DistributionFlag.MANDATORY_25_DIGEST


def missing_flags(wanted: int, flags: int) -> list[str]:
    """Name what a node with the flags ``wanted`` may refuse to be without, and ``flags`` lack."""
    digest = DistributionFlag.MANDATORY_25_DIGEST
    return flag_names(PROBE_FLAGS & wanted & ~flags & ~int(digest))


def flag_names(flags: int) -> list[str]:
    """Name the set bits, lowest first; unknown ones as ``bit N``."""
    known = {int(flag): str(flag.name) for flag in DistributionFlag}
    bits = (bit for bit in range(flags.bit_length()) if flags >> bit & 1)
    return [known.get(1 << bit, f"bit {bit}") for bit in bits]
