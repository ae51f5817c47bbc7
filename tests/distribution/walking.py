"""A walk over data that comes in pieces."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from distribution.fragmented import TABLE

from erlconnect.distribution.etf_scanner import EtfScanner, ScanResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.distribution.name_mapping import CompiledMapping


def walked(
    data: bytes, cuts: Sequence[int] = (), table: CompiledMapping = TABLE
) -> tuple[EtfScanner, list[int], list[tuple[int, int]]]:
    """Walk in pieces; return the positions in the whole."""
    walk = EtfScanner(table.token_run, table.replacements)
    names: list[int] = []
    funs: list[tuple[int, int]] = []
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        found = ScanResult()
        piece = b"??" + data[start:end]
        walk.advance(piece, 2, len(piece), found)
        names += [at - 2 + start for at in found.names]
        funs += [(at - 2 + start, until - 2 + start) for at, until in found.funs]
    return walk, names, funs
