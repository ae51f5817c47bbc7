"""The tokens of the external term format, for a walk that needs no stack.

Every composite term is a head of known size followed by terms, so a stream of terms is a stream
of tokens: no token's size depends on what encloses it.
Source: the External Term Format chapter; sizes count the tag.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION: Final = 131  # before each term of a frame without a distribution header
NEW_FUN_EXT: Final = 112
NEW_FUN_SIZE_END: Final = 5
FUN_HEAD_SIZE: Final = 30

FIXED_SIZES: Final = {
    VERSION: 1,
    97: 2,  # SMALL_INTEGER_EXT
    98: 5,  # INTEGER_EXT
    99: 32,  # FLOAT_EXT
    70: 9,  # NEW_FLOAT_EXT
    82: 2,  # ATOM_CACHE_REF: an atom
    104: 2,  # SMALL_TUPLE_EXT
    105: 5,  # LARGE_TUPLE_EXT
    106: 1,  # NIL_EXT
    108: 5,  # LIST_EXT
    116: 5,  # MAP_EXT
    113: 1,  # EXPORT_EXT: module, function and arity follow as terms
    117: 5,  # FUN_EXT, before OTP R9: terms follow
    67: 6,  # RECORD_EXT, a native record of OTP 29: names, fields and values follow as terms
    NEW_FUN_EXT: FUN_HEAD_SIZE,  # module, old index, old uniq, pid, free variables follow as terms
}

# Tag: (bytes of the length field, what else belongs to the head, bytes a unit of length counts).
COUNTED_SIZES: Final = {
    107: (2, 0),  # STRING_EXT
    109: (4, 0),  # BINARY_EXT
    77: (4, 1),  # BIT_BINARY_EXT: the bits used in the last byte
    110: (1, 1),  # SMALL_BIG_EXT: the sign
    111: (4, 1),  # LARGE_BIG_EXT
}

ATOM_LENGTH_BYTES: Final = {
    119: 1,  # SMALL_ATOM_UTF8_EXT
    118: 2,  # ATOM_UTF8_EXT
    115: 1,  # SMALL_ATOM_EXT
    100: 2,  # ATOM_EXT
}
ATOM_CACHE_REF: Final = 82

# Tag: bytes after the node's atom.
NODE_SIZES: Final = {
    88: 12,  # NEW_PID_EXT: id, serial, creation
    103: 9,  # PID_EXT
    120: 12,  # V4_PORT_EXT
    89: 8,  # NEW_PORT_EXT
    102: 5,  # PORT_EXT
    101: 5,  # REFERENCE_EXT
}
# Tag: bytes of creation after the node's atom, before the words that a 16-bit length counts.
REFERENCE_CREATIONS: Final = {
    90: 4,  # NEWER_REFERENCE_EXT
    114: 1,  # NEW_REFERENCE_EXT
}

_ENUMERATED: Final = 48

# Tokens of one kind in a row are matched together where there are so many: the choice between the
# kinds costs more than the match.
_CACHE_REFS_AT_ONCE: Final = 8
_BINARIES_AT_ONCE: Final = 4


def _counted(lengths: Iterable[int], extra: int = 0) -> bytes:
    """Alternatives of one length byte followed by so many bytes; ``re`` has no counted form."""
    ways = (b"%b.{%d}" % (re.escape(bytes([n])), n + extra) for n in lengths)
    return b"(?:" + b"|".join(ways) + b")"


def _references(head: bytes, creation: int) -> bytes:
    ways = (b"%bR.{%d}" % (re.escape(bytes([n])), 1 + creation + 4 * n) for n in range(1, 6))
    return head + b"\\x00(?:" + b"|".join(ways) + b")"


def _short_binaries(heads: list[bytes]) -> bytes:
    """Match one binary, or several in a row of the lengths that names make likely.

    What term_to_binary makes of a name, or of a pid with it, is what most often looks like one.
    """
    head = rb"m\x00\x00\x00"
    likely = {len(name) + more for name in heads for more in (2, 3, 15, 16)}
    ways = []
    for length in sorted(length for length in likely if length < 256):  # noqa: PLR2004 - one byte
        binary = b"%b.{%d}+" % (re.escape(bytes([length])), length)
        ways += [binary + (head + binary) * (_BINARIES_AT_ONCE - 1), binary]
    return head + b"(?:" + b"|".join([*ways, _counted(range(_ENUMERATED + 1))]) + b")"


def token_run(patterns: Iterable[bytes]) -> re.Pattern[bytes]:
    """Compile a pattern that matches as many tokens as it can, and a name's atom behind them.

    It stops before tokens that are rare or long, and before funs; walking those is Python's part.
    It stops behind every atom whose ``atom_pattern`` is in ``patterns``, which is its group then.
    Possessive, so that it never goes back.
    """
    heads = list(patterns)
    names = b"|".join(map(re.escape, heads)) if heads else b"(?!)"
    no_name = b"(?!%b)" % names
    short = _counted(range(_ENUMERATED + 1))
    tokens = [
        rb"R." * _CACHE_REFS_AT_ONCE,
        rb"[aRh].",
        rb"[bilt].{4}",
        _short_binaries(heads),
        b"[ws]" + no_name + short,
        rb"XR.{13}",
        rb"[jq\x83]",
        rb"C.{5}",
        rb"F.{8}",
        rb"k\x00" + short,
        b"n" + _counted(range(1, 17), extra=1),
        _references(b"Z", 4),
        rb"xR.{13}",
        rb"YR.{9}",
        rb"gR.{10}",
        rb"fR.{6}",
        _references(b"r", 1),
        rb"M\x00\x00\x00" + _counted(range(_ENUMERATED + 1), extra=1),
    ]
    # The atomic group does nothing but save CPython before 3.11.5, which is wrong without it:
    # https://github.com/python/cpython/issues/106052
    run = b"(?>" + b"|".join(tokens) + b")*+"
    return re.compile(run + b"(?:[ws](%b))?" % names, re.DOTALL)


def fun_head() -> re.Pattern[bytes]:
    """Compile a search for what may be the head of a NEW_FUN_EXT and the tag after it.

    Below 512 MB, fewer than 2^24 funs in its module, fewer than 256 free variables, and an atom
    follows. Every fun has that, and floats, whose bytes end in zeros, do not.
    """
    return re.compile(rb"p[\x00-\x1f].{20}\x00.{3}\x00\x00\x00.[Rwvsd]", re.DOTALL)


def cut_at_end(patterns: Iterable[bytes], *, funs: bool) -> re.Pattern[bytes]:
    """Compile a search for a suffix that may go on as one of the patterns or as a fun's head."""
    ways = [rb"p.{0,29}"] if funs else []
    for pattern in patterns:
        way = b""
        for byte in reversed(pattern[:-1]):
            way = re.escape(bytes([byte])) + (b"(?:" + way + b")?" if way else b"")
        ways.append(way)
    return re.compile(b"(?:" + b"|".join(ways or [b"(?!)"]) + rb")\Z", re.DOTALL)
