"""A scan over a stream of terms in the external format that can stop at any byte and go on later.

It looks for two things: atoms that are names of the link's mapping, and the heads of funs, whose
Size counts the bytes that they enclose. It builds no terms.

It needs no stack either. Every composite term is a head of known size followed by terms, so a
stream of terms is a stream of tokens, and no token's size depends on what encloses it. The tables
below have the sizes of all tokens, with their tag. Frequent tokens are matched by one regular
expression, many at a time (``token_run``); the others are stepped over one by one (``EtfScanner``).
Source: the External Term Format chapter.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

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
# The regular expression engine holds the interpreter lock: each call has to be short, so that the
# other direction's thread gets its turn.
_WINDOW: Final = 65536


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

    It stops before tokens that are rare or long, and before funs, which ``EtfScanner`` steps over.
    It stops behind every atom whose ``atom_pattern`` is in ``patterns``, which is its group then.
    The repetition is possessive: it never backtracks, so its time is linear.
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
    # Without the atomic group CPython before 3.11.5 matches possessive repetitions wrongly:
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


@dataclass(slots=True)
class ScanResult:
    """Positions in the data that ``advance`` was given.

    ``names`` are where the length byte of a name's atom is; ``funs`` are ``(start, end)`` of
    NEW_FUN_EXT terms, where ``end`` may lie beyond the data and ``start`` before it.
    """

    names: list[int] = field(default_factory=list)
    funs: list[tuple[int, int]] = field(default_factory=list)


def scan_frequent(
    run: re.Pattern[bytes],
    data: bytes | bytearray,
    position: int,
    end: int,
    names: list[int],
    *,
    shift: int = 0,
) -> int:
    """Scan as far as the tokens are frequent ones; return where that ended, between two tokens.

    Names that it finds go to ``names``, as in ``ScanResult``, with ``shift`` added.
    """
    end = min(end, position + _WINDOW)
    while position < end and (match := run.match(data, position, end)):
        position = match.end()
        if not match.lastindex:
            break
        names.append(match.start(1) + shift)
    return position


class EtfScanner:
    """The state of one scan: at most a token's head is kept, whatever the size of the terms."""

    __slots__ = ("_after_atom", "_partial", "_patterns", "_run", "skip", "unparseable")

    def __init__(self, run: re.Pattern[bytes], patterns: Container[bytes]) -> None:
        self._run = run
        self._patterns = patterns
        self._after_atom = 0
        self._partial = b""
        self.skip = 0
        """Bytes still to come that belong to the inside of a token, e.g. of a binary."""
        self.unparseable = False
        """Whether a tag came that this scan does not know there: the rest is opaque."""

    @property
    def between_terms(self) -> bool:
        """Whether a message may end here."""
        return not (self.skip or self._partial or self._after_atom)

    @property
    def opaque(self) -> int:
        """How many of the next bytes are known to hold no name that could be found."""
        return sys.maxsize if self.unparseable else self.skip

    def give_back(self, limit: int) -> int:
        """Forget the last bytes, at most ``limit``, if they begin a token that is not all there.

        Return how many were forgotten; the next ``advance`` has to begin with them.
        """
        kept = max(0, len(self._partial) - limit)
        size = len(self._partial) - kept
        self._partial = self._partial[:kept]
        return size

    def advance(
        self, data: bytes | bytearray, start: int, end: int, result: ScanResult | None = None
    ) -> None:
        """Scan ``data[start:end]``, which continues what was scanned before."""
        found = ScanResult() if result is None else result
        if not self._partial:
            self._scan(data, start, end, found, 0)
            return
        kept = self._partial
        self._partial = b""
        self._scan(kept + data[start:end], 0, len(kept) + end - start, found, start - len(kept))

    def _scan(
        self, data: bytes | bytearray, position: int, end: int, found: ScanResult, shift: int
    ) -> None:
        position += self.skip
        while position < end and not self.unparseable:
            if not self._after_atom:
                position = scan_frequent(self._run, data, position, end, found.names, shift=shift)
                if position >= end:
                    break
            after = self._step(data, position, end, found, shift)
            if after is None:
                self._partial = bytes(data[position:end])
                position = end
            else:
                position = after
        self.skip = position - end if position > end else 0

    def _step(
        self, data: bytes | bytearray, position: int, end: int, found: ScanResult, shift: int
    ) -> int | None:
        """Step over one token; ``None`` where its head is not all there."""
        tag = data[position]
        if tag in ATOM_LENGTH_BYTES:
            return self._atom(data, position, end, found, shift)
        if self._after_atom and tag != ATOM_CACHE_REF:
            return self._unknown_tag(end)
        if tag in FIXED_SIZES:
            if tag == NEW_FUN_EXT:
                return self._fun(data, position, end, found, shift)
            after = position + FIXED_SIZES[tag] + self._after_atom
            self._after_atom = 0
            return after
        if tag in COUNTED_SIZES:
            length_bytes, extra = COUNTED_SIZES[tag]
            head = position + 1 + length_bytes
            count = int.from_bytes(data[position + 1 : head], "big")
            return head + extra + count if head <= end else None
        return self._node(data, position, end, tag)

    def _atom(
        self, data: bytes | bytearray, position: int, end: int, found: ScanResult, shift: int
    ) -> int | None:
        text = position + 1 + ATOM_LENGTH_BYTES[data[position]]
        if text > end:
            return None
        length = int.from_bytes(data[position + 1 : text], "big")
        if text + length > end and length < 256:  # noqa: PLR2004 - it may be a name
            return None
        if bytes(data[text - 1 : text + length]) in self._patterns and length < 256:  # noqa: PLR2004
            found.names.append(text - 1 + shift)
        after = text + length + self._after_atom
        self._after_atom = 0
        return after

    def _fun(
        self, data: bytes | bytearray, position: int, end: int, found: ScanResult, shift: int
    ) -> int | None:
        if position + NEW_FUN_SIZE_END > end:
            return None
        size = int.from_bytes(data[position + 1 : position + NEW_FUN_SIZE_END], "big")
        found.funs.append((position + shift, position + shift + 1 + size))
        return position + FIXED_SIZES[NEW_FUN_EXT]

    def _node(self, data: bytes | bytearray, position: int, end: int, tag: int) -> int | None:
        if tag in NODE_SIZES:
            self._after_atom = NODE_SIZES[tag]
            return position + 1
        if tag in REFERENCE_CREATIONS:
            if position + 3 > end:
                return None
            words = int.from_bytes(data[position + 1 : position + 3], "big")
            self._after_atom = REFERENCE_CREATIONS[tag] + 4 * words
            return position + 3
        return self._unknown_tag(end)

    def _unknown_tag(self, end: int) -> int:
        """Stop at a tag that is unknown, or that cannot stand here; the rest goes as it came.

        It is not an error: a newer release may have tags that this scan does not know.
        """
        self.unparseable = True
        return end
