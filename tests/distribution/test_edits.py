from __future__ import annotations

import pytest
from distribution import terms

from erlconnect.distribution.edits import apply_edits, name_edits, term_edits
from erlconnect.distribution.term_walk import Findings

OLD, NEW = terms.pattern("app@127.0.0.1"), terms.pattern("a@b")
SHORTER = len(OLD) - len(NEW)


def sizes(data: bytes, funs: list[tuple[int, int]], *, may_shrink: bool) -> dict[int, int]:
    """The new Size of each fun by its start; one name stands in ``data``."""
    findings = Findings(names=[data.index(OLD)], funs=funs)
    edits = term_edits(data, len(data), findings, {OLD: NEW}, may_shrink=may_shrink)
    assert edits == sorted(edits)
    sizes = [edit for edit in edits if edit[2] != NEW]
    assert all(end - start == 4 for start, end, _ in sizes)
    return {start - 1: int.from_bytes(text, "big") for start, _, text in sizes}


def test_edits_are_made_in_place() -> None:
    edits = [(2, 3, b"TWO"), (5, 5, b"+"), (8, 9, b"")]

    assert apply_edits(b"0123456789", 1, 10, edits) == b"1TWO34+5679"
    assert apply_edits(b"0123456789", 3, 5, []) == b"34"


def test_a_name_is_edited_with_its_length() -> None:
    data = bytearray(b"..w" + OLD + b"..")

    assert name_edits(data, [3], {OLD: NEW}) == [(3, 3 + len(OLD), NEW)]
    assert name_edits(data, [3], {NEW: OLD}) == []


def test_the_size_of_a_fun_that_ends_in_the_stretch_is_exact() -> None:
    data = b"p....[w" + OLD + b"]"

    assert sizes(data, [(0, len(data))], may_shrink=True) == {0: len(data) - 1 - SHORTER}
    assert sizes(data, [(0, len(data))], may_shrink=False) == {0: len(data) - 1 - SHORTER}


def test_a_fun_without_a_name_keeps_its_size() -> None:
    data = b"p....[]w" + OLD + b"p....[]"

    assert sizes(data, [(0, 7), (len(data) - 7, len(data))], may_shrink=True) == {}


def test_nested_funs_each_count_what_is_inside() -> None:
    data = b"p....p....w" + OLD + b"]p....]"
    inner_end = 5 + 5 + 1 + len(OLD) + 1

    funs = [(0, len(data)), (5, inner_end), (inner_end, len(data))]
    assert sizes(data, funs, may_shrink=True) == {
        0: len(data) - 1 - SHORTER,
        5: inner_end - 6 - SHORTER,
    }


@pytest.mark.parametrize("beyond", [1, 1000, 2**32 - 1])
def test_the_size_of_a_fun_that_goes_on_is_what_is_sent_of_it(beyond: int) -> None:
    data = b"p....[w" + OLD + b"]"

    sent = len(data) - 1 - SHORTER
    assert sizes(data, [(0, len(data) + beyond)], may_shrink=True) == {0: sent}
    assert sizes(data, [(0, len(data) + beyond)], may_shrink=False) == {}


def test_a_size_that_lies_does_not_become_negative() -> None:
    data = b"p....w" + OLD

    assert sizes(data, [(0, 8)], may_shrink=True) == {0: 0}
