"""The rewriting of whole frames in which the text of a name stands, with a header or without.

Most hold the name as a new entry of the header or not as an atom at all; only where it may be an
atom in the terms are those walked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.distribution.edits import Edit, apply_edits, header_edits, name_edits, term_edits
from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.frame_beginnings import FrameBeginnings
from erlconnect.distribution.frame_kinds import LENGTH_SIZE, PASS_THROUGH, framed
from erlconnect.distribution.name_table import LONGEST_PATTERN
from erlconnect.distribution.term_walk import Findings, TermWalk, walk_frequent

if TYPE_CHECKING:
    from erlconnect.distribution.rewrite_table import RewriteTable


class WholeFrames:
    """Rewrites frames of one direction. The counters only grow."""

    def __init__(self, table: RewriteTable) -> None:
        self._table = table
        self._beginnings = FrameBeginnings(table)
        self.rewritten = 0
        self.walked = 0
        """Frames whose terms had to be walked."""
        self.lost = 0
        """Frames with a tag that the walk does not know; as they came from there on."""

    def rewrite(self, buffer: bytearray, position: int, end: int, nearest: int) -> bytes | None:
        """Give the frame ``buffer[position:end]`` with other names, ``None`` where it stays.

        ``nearest`` is a place in the first text of a name that may stand in it.
        """
        body = position + LENGTH_SIZE
        if body == end:
            return None
        if buffer[body] == PASS_THROUGH:
            edits = self._atom_edits(buffer, body + 1, end, nearest)
        else:
            edits = self._edits_from_header(buffer, body + 2, end, nearest)
        return framed(apply_edits(buffer, body, end, edits)) if edits else None

    def _edits_from_header(
        self, buffer: bytearray, header: int, end: int, nearest: int
    ) -> list[Edit]:
        terms = self._beginnings.skip(buffer, header, end)
        if terms > header:
            return self._term_edits(buffer, terms, end)
        terms, edits = header_edits(buffer, header, end, self._table.replacements)
        self.rewritten += len(edits)
        found = self._atom_edits(buffer, terms, end, nearest)
        if found and not edits:
            # The tag of an atom and the first byte of its length.
            self._beginnings.learn(buffer, header, terms, found[0][0] - 2)
        return edits + found

    def _atom_edits(self, buffer: bytearray, terms: int, end: int, nearest: int) -> list[Edit]:
        if not self._table.occurs_as_atom(buffer, max(terms, nearest - LONGEST_PATTERN), end):
            return []
        return self._term_edits(buffer, terms, end)

    def _term_edits(self, buffer: bytearray, start: int, end: int) -> list[Edit]:
        self.walked += 1
        names: list[int] = []
        at = walk_frequent(self._table.token_run, buffer, start, end, names)
        if at == end:
            self.rewritten += len(names)
            return name_edits(buffer, names, self._table.replacements)
        walk = TermWalk(self._table.token_run, self._table.replacements)
        findings = Findings(names)
        walk.advance(buffer, at, end, findings)
        self.lost += walk.lost
        if not (walk.between_terms or walk.lost):
            raise RemoteProtocolError("term: it ends beyond its frame")
        self.rewritten += len(findings.names)
        return term_edits(buffer, end, findings, self._table.replacements, may_shrink=True)
