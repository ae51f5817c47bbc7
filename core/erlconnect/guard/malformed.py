"""The rule ``terms``: encodings that crash or confuse decoders, looked for where they may be.

Nothing is walked that shows none of the few bytes with which such a term begins. Those bytes occur
in text, too: whatever shows them is read as terms, and only what is no term then is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.distribution.bounded_terms import TermReader
from erlconnect.distribution.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.distribution.etf import Atom

# What such a term begins with, by what it is searched for, and so far behind the tag of an atom
# stands. A single byte is found fastest; letters that are frequent in text are no good for it.
_BEGINNINGS: Final = (
    (b"Z\x00\x00", b"Z", 3),  # a reference of no words
    (b"p\x00", b"p\x00", 30),  # a fun
    (b"q", b"q", 1),  # a function by its name
)
_ATOM_TAGS: Final = b"Rwvsd"
_MOST_TOKENS: Final = 4_000_000


def first_suspect(data: bytes | bytearray, start: int, end: int) -> int:
    """Return where the first bytes are that may begin such a term; ``end`` where none are."""
    first = end
    for beginning, searched, tag in _BEGINNINGS:
        found = data.find(searched, start, first)
        while found >= 0:
            at = found + tag
            if at < end and data[at] in _ATOM_TAGS and data.startswith(beginning, found):
                first = found
                break
            found = data.find(searched, found + 1, first)
    return first


def check_terms(
    data: bytes | bytearray, start: int, end: int, atoms: Sequence[Atom | None], *, versions: bool
) -> None:
    """Raise ``RemoteProtocolError`` where one of the terms of ``data[start:end]`` is none.

    What is cut off, or of a kind that is not known, ends the look and not the link. ``versions``
    says whether each term but the first has a byte before it that tells its format.
    """
    at = start
    while 0 <= at < end:
        reader = TermReader(data, at, end, atoms, max_tokens=_MOST_TOKENS, deepest=_MOST_TOKENS)
        try:
            _, at = reader.read()
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"malformed-term: {error}") from error
        at += versions if at >= 0 else 0
